-- Counts one hit in every window, or in none when one of them is full. See counters.py for the rule.
--
-- KEYS[1]            the counter; ARGV: for each window its amount and its period in microseconds
-- returns            allowed (1 or 0), index of the window that binds the most, what remains in it,
--                    microseconds until all of it is free again, microseconds until one more hit has room
--
-- The value is a map from a period to {start of the newest entry, last, hits, last, hits, ...}, oldest entry first.
-- The server's clock counts, so that nodes whose clocks differ share one window; a clock that was set back pulls the
-- times of entries back with it, so that nobody is shut out for as long as the step was.

local GRAINS = 20
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local was_set_back = false

local function without_what_left(entries, period)
  local kept = {math.min(entries[1], now)}
  local total = 0
  for i = 2, #entries, 2 do
    local last = math.min(entries[i], now)
    was_set_back = was_set_back or last < entries[i]
    if last + period > now then
      kept[#kept + 1] = last
      kept[#kept + 1] = entries[i + 1]
      total = total + entries[i + 1]
    end
  end
  return kept, total
end

local function frees_one_at(entries, period, surplus)
  for i = 2, #entries, 2 do
    surplus = surplus - entries[i + 1]
    if surplus < 0 then
      return entries[i] + period
    end
  end
  return now
end

local function store(counts)
  local ends = now
  for period, entries in pairs(counts) do
    if #entries > 1 then
      ends = math.max(ends, entries[#entries - 1] + tonumber(period))
    end
  end
  redis.call('SET', KEYS[1], cmsgpack.pack(counts), 'PX', math.ceil((ends - now) / 1000) + 1)
end

local packed = redis.call('GET', KEYS[1])
local counts = packed and cmsgpack.unpack(packed) or {}
local refusal, retry_after, tightest, least

for i = 1, #ARGV, 2 do
  local amount, period = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local entries, total = without_what_left(counts[ARGV[i + 1]] or {0}, period)
  counts[ARGV[i + 1]] = entries
  local index, left = (i - 1) / 2, amount - total
  if left <= 0 then
    local wait = math.max(0, frees_one_at(entries, period, total - amount) - now)
    if not refusal or wait > retry_after then
      local last = #entries > 1 and entries[#entries - 1] or now
      refusal, retry_after = {0, index, 0, math.max(0, last + period - now), wait}, wait
    end
  elseif not tightest or left < least then
    tightest, least = {1, index, left - 1, period, 0}, left
  end
end
if refusal then
  if was_set_back then
    store(counts)
  end
  return refusal
end

for i = 1, #ARGV, 2 do
  local entries, period = counts[ARGV[i + 1]], tonumber(ARGV[i + 1])
  local newest = #entries
  if newest > 1 and now - entries[1] < period / GRAINS then
    entries[newest - 1], entries[newest] = now, entries[newest] + 1
  else
    entries[1], entries[newest + 1], entries[newest + 2] = now, now, 1
  end
end
store(counts)
return tightest
