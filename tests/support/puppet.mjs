/**
 * supabase-js on strings: it reads orders as JSON lines from its standard input and reports as JSON lines what came of
 * each (`done`) and what its one channel heard (`state`, `system`, `change`, `broadcast`, `heartbeat`).
 */
import { createInterface } from 'node:readline'
import { createClient } from '@supabase/supabase-js'
import WebSocket from 'ws'

const { url, key, realtime, reconnectMs } = JSON.parse(process.argv[2])
const report = (kind, payload) => console.log(JSON.stringify({ kind, payload: payload ?? null }))
console.warn = () => {} // the client warns of its own future; nothing here depends on it

const supabase = createClient(url, key, {
  auth: { autoRefreshToken: false, persistSession: true },
  realtime: {
    transport: WebSocket,
    heartbeatCallback: (status) => report('heartbeat', status),
    ...(reconnectMs && { reconnectAfterMs: () => reconnectMs }),
    ...realtime,
  },
})
let channel

const brief = ({ data, error }) => ({
  data,
  error: error && { message: error.message, status: error.status, code: error.code, name: error.name },
})

const actions = {
  signIn: async ({ email, password }) => brief(await supabase.auth.signInWithPassword({ email, password })),
  refresh: async () => brief(await supabase.auth.refreshSession()),
  getUser: async ({ token }) => brief(await supabase.auth.getUser(token)),
  getClaims: async () => brief(await supabase.auth.getClaims()),
  signOut: async () => brief(await supabase.auth.signOut()),
  setAuth: async ({ token }) => supabase.realtime.setAuth(token),
  rpc: async ({ name, args }) => brief(await supabase.rpc(name, args)),
  select: async ({ table, columns }) => brief(await supabase.from(table).select(columns)),
  count: async ({ table }) => (await supabase.from(table).select('id', { count: 'exact', head: true })).count,
  subscribe: async ({ topic, config, changes = [] }) => {
    channel = supabase.channel(topic, config && { config })
    for (const filter of changes) channel.on('postgres_changes', filter, (payload) => report('change', payload))
    channel.on('broadcast', { event: '*' }, (message) => report('broadcast', message))
    if (config?.presence?.enabled) channel.on('presence', { event: 'sync' }, () => report('presence', channel.presenceState()))
    channel.on('system', {}, (payload) => report('system', payload))
    channel.subscribe((status, error) => report('state', { status, error: error?.message ?? null }))
  },
  send: async ({ event, payload }) => channel.send({ type: 'broadcast', event, payload }),
  httpSend: async ({ topic, event, payload }) => supabase.channel(topic).httpSend(event, payload),
  track: async ({ payload }) => channel.track(payload),
  untrack: async () => channel.untrack(),
  present: async () => channel.presenceState(),
  leave: async () => supabase.removeChannel(channel),
}

for await (const line of createInterface({ input: process.stdin })) {
  const { action, ...options } = JSON.parse(line)
  report('done', await actions[action](options).catch((error) => ({ thrown: String(error) })))
}
process.exit(0)
