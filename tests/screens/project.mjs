/**
 * The running project, as a page knows it, and what a page does with it: sign in, call functions, listen.
 *
 * The environment variable PROJECT says where it is: one JSON object, written by the fixture that started it.
 */
import assert from 'node:assert/strict'

import { createClient } from '@supabase/supabase-js'
import WebSocket from 'ws'

export const project = JSON.parse(process.env.PROJECT)

/** What a page calls by POST; the other one is a monitor's. */
export const POSTED = project.functions.filter((name) => name !== 'healthz')

/** What a browser adds to each request; the relay answers it in another way than a programme. */
const ORIGIN = 'https://hq.emocare.test'
const PATIENCE_MS = 10_000

console.warn = () => {} // the client warns of its own future; nothing here depends on it

/** Open the application, in a browser or from a `programme`; signed in as somebody, or as nobody. */
export async function open(who = null, { programme = false, realtime = {} } = {}) {
  const client = createClient(project.url, project.publishableKey, {
    auth: { autoRefreshToken: false, persistSession: true },
    global: { headers: programme ? {} : { origin: ORIGIN } },
    realtime: { transport: WebSocket, ...realtime },
  })
  if (who !== null) {
    const { error } = await client.auth.signInWithPassword(project.people[who])
    assert.equal(error, null)
  }
  return client
}

/** Call a function and return what a screen gets; a refusal as its status and body. */
export async function invoke(client, name, body) {
  const { data, error } = await client.functions.invoke(name, { body })
  if (error === null) return { data, status: 200 }
  assert.equal(error.name, 'FunctionsHttpError', `${name}: ${error.message}`)
  return { data: await error.context.json(), status: error.context.status }
}

/** Read with a function of the database; a refusal is an error here. */
export async function read(client, name, parameters = {}) {
  const { data, error } = await client.rpc(name, parameters)
  assert.equal(error, null)
  return data
}

/** What was heard, in order. */
class Mailbox {
  items = []
  #listeners = new Set()

  put(item) {
    this.items.push(item)
    for (const listener of this.#listeners) listener()
  }

  /** Wait for the first thing that fits. */
  until(what, fits, patienceMs = PATIENCE_MS) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.items.find(fits)
        if (found === undefined) return
        stop()
        resolve(found)
      }
      const tell = () => {
        stop()
        reject(new Error(`never heard: ${what}; heard: ${JSON.stringify(this.items)}`))
      }
      const timer = setTimeout(tell, patienceMs)
      const stop = () => {
        clearTimeout(timer)
        this.#listeners.delete(look)
      }
      this.#listeners.add(look)
      look()
    })
  }
}

/**
 * Join a channel and wait until it is announced that changes will be told; the test ends it.
 * `changes` and `broadcasts` are mailboxes.
 */
export async function listen(t, client, topic, { changes = [], broadcasts = [] } = {}) {
  const channel = client.channel(topic, { config: { broadcast: { ack: true } } })
  const heard = { channel, changes: new Mailbox(), broadcasts: new Mailbox(), states: new Mailbox() }
  for (const filter of changes) channel.on('postgres_changes', filter, (change) => heard.changes.put(change))
  for (const event of broadcasts) channel.on('broadcast', { event }, (message) => heard.broadcasts.put(message))
  channel.on('system', {}, ({ status }) => heard.states.put(`system ${status}`))
  channel.subscribe((status) => heard.states.put(status))
  t.after(() => client.removeAllChannels())
  await heard.states.until('the join', (state) => state === 'SUBSCRIBED')
  if (changes.length > 0) await heard.states.until('that changes will be told', (state) => state === 'system ok')
  return heard
}

/** Go once to the server and back on the same socket: what was sent before it has arrived. */
export async function roundTrip({ channel }) {
  assert.equal(await channel.send({ type: 'broadcast', event: 'fence', payload: {} }), 'ok')
}

/** Say how a vendor's stand-in goes on: one step per call, then back to normal. */
export async function script(vendor, ...steps) {
  const body = JSON.stringify({ vendor, steps, repeat: false, default_delay_ms: null })
  const answer = await fetch(`${project.vendorsUrl}/_script`, { method: 'POST', body, headers: JSON_TYPE })
  assert.ok(answer.ok, await answer.text())
}

const JSON_TYPE = { 'content-type': 'application/json' }

export const isMoment = (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value))
export const isId = (value) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)
