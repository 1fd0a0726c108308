"""`portico doctor mcp URL`: connects to an MCP server as real clients do, and names the step at which they would fail.

profiles    what each client sends, as data
walking     the steps in their order, and what one walk has learnt so far
steps       one file a part of the way: discovering, registering, authorizing, redeeming, calling
signing_in  how the person gets through sign-in and consent: a browser, or Portico's own forms
wire        HTTP, without a gate: this is the operator's own command
findings    what is reported, in colours and as JSON
"""
