// What oidc-provider keeps, in one PostgreSQL table: a row a model, its payload as JSON.
//
// Each call of the adapter's contract is one prepared statement in a transaction of its own.

import pg from 'pg';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS peer_models (
    kind text NOT NULL,
    id text NOT NULL,
    payload jsonb NOT NULL,
    grant_id text,
    user_code text,
    uid text,
    expires_at timestamptz,
    consumed_at timestamptz,
    PRIMARY KEY (kind, id)
  );
  CREATE INDEX IF NOT EXISTS peer_models_grant ON peer_models (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX IF NOT EXISTS peer_models_user_code ON peer_models (user_code) WHERE user_code IS NOT NULL;
  CREATE INDEX IF NOT EXISTS peer_models_uid ON peer_models (uid) WHERE uid IS NOT NULL;
`;

const COLUMNS = 'payload, expires_at, consumed_at';

const STATEMENTS = {
  upsert: `
    INSERT INTO peer_models (kind, id, payload, grant_id, user_code, uid, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (kind, id) DO UPDATE SET
      payload = excluded.payload, grant_id = excluded.grant_id, user_code = excluded.user_code,
      uid = excluded.uid, expires_at = excluded.expires_at`,
  find: `SELECT ${COLUMNS} FROM peer_models WHERE kind = $1 AND id = $2`,
  findByUid: `SELECT ${COLUMNS} FROM peer_models WHERE kind = $1 AND uid = $2`,
  findByUserCode: `SELECT ${COLUMNS} FROM peer_models WHERE kind = $1 AND user_code = $2`,
  consume: 'UPDATE peer_models SET consumed_at = now() WHERE kind = $1 AND id = $2',
  destroy: 'DELETE FROM peer_models WHERE kind = $1 AND id = $2',
  revokeByGrantId: 'DELETE FROM peer_models WHERE grant_id = $1',
};

const MANY = `
  INSERT INTO peer_models (kind, id, payload, grant_id, expires_at)
  SELECT $1, given.id, given.payload, given.grant_id, $2
  FROM unnest($3::text[], $4::jsonb[], $5::text[]) AS given (id, payload, grant_id)`;

let pool;

/** Connect and make the table. */
export async function connect(url) {
  pool = new pg.Pool({ connectionString: url, max: 16 });
  await pool.query(SCHEMA);
}

function run(name, values) {
  return pool.query({ name, text: STATEMENTS[name], values });
}

/** Write many models of one kind at once, past the adapter: `rows` are pairs of id and payload. */
export async function addMany(kind, rows, seconds) {
  await pool.query(MANY, [
    kind,
    until(seconds),
    rows.map(([id]) => id),
    rows.map(([, payload]) => JSON.stringify(payload)),
    rows.map(([, payload]) => payload.grantId ?? null),
  ]);
}

function until(seconds) {
  return seconds ? new Date(Date.now() + seconds * 1000) : null;
}

function payloadOf({ rows: [row] }) {
  if (!row || (row.expires_at && row.expires_at <= new Date())) return undefined;
  return row.consumed_at
    ? { ...row.payload, consumed: Math.floor(row.consumed_at.getTime() / 1000) }
    : row.payload;
}

/** The adapter, one of each model. */
export class PostgresAdapter {
  constructor(kind) {
    this.kind = kind;
  }

  async upsert(id, payload, expiresIn) {
    const { grantId = null, userCode = null, uid = null } = payload;
    await run('upsert', [this.kind, id, payload, grantId, userCode, uid, until(expiresIn)]);
  }

  async find(id) {
    return payloadOf(await run('find', [this.kind, id]));
  }

  async findByUid(uid) {
    return payloadOf(await run('findByUid', [this.kind, uid]));
  }

  async findByUserCode(userCode) {
    return payloadOf(await run('findByUserCode', [this.kind, userCode]));
  }

  async consume(id) {
    await run('consume', [this.kind, id]);
  }

  async destroy(id) {
    await run('destroy', [this.kind, id]);
  }

  async revokeByGrantId(grantId) {
    await run('revokeByGrantId', [grantId]);
  }
}
