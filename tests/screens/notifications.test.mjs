/** The bell: what the channel of notifications tells every open page, also one where nobody is signed in. */
import assert from 'node:assert/strict'
import test from 'node:test'

import { invoke, listen, open, read, script } from './project.mjs'

const TOPIC = 'hq-notifications'
const EVENTS = ['run_completed', 'alert', 'approval_required', 'system']

test('any page hears that a run is done or has failed, and nothing of the run but its type', async (t) => {
  const [owner, stranger] = [await open('owner'), await open()]
  const { broadcasts } = await listen(t, stranger, TOPIC, { broadcasts: EVENTS })
  const body = { run_type: 'DEPLOYMENT_CHECK', platform_key: 'nearvity' }

  await invoke(owner, 'executive-run', body)
  const done = await broadcasts.until('the end', ({ payload }) => payload.run_type === body.run_type)
  await script('openai', { status: 402 })
  const { data } = await invoke(owner, 'executive-run', { ...body, context_data: { essai: 2 } })
  // Asked of the database, so that nobody waits for an answer.
  await script('openai', { status: 402 })
  const unanswered = { p_run_type: body.run_type, p_platform_key: body.platform_key, p_context: { essai: 3 } }
  await read(owner, 'request_hq_run', unanswered)
  const failed = await broadcasts.until('the failure', ({ event }) => event === 'alert', 30_000)

  assert.deepEqual([done.event, done.payload], ['run_completed', { run_type: body.run_type }])
  assert.deepEqual(Object.keys(failed.payload).sort(), ['message', 'urgency'])
  assert.match(failed.payload.message, /^Une exécution a échoué\. /)
  assert.equal(data.error_code, 'gateway_out_of_credit', 'who was answered has read more than an alert says')
  assert.equal(broadcasts.items.filter(({ event }) => event === 'alert').length, 1)
  for (const { payload } of broadcasts.items) assert.doesNotMatch(JSON.stringify(payload), /nearvity|[0-9a-f]{8}-|402/)
})
