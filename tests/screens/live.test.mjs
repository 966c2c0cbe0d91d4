/** The screens that refresh by themselves: what of `hq.runs` reaches whom, and what they read when they are told. */
import assert from 'node:assert/strict'
import test from 'node:test'

import { invoke, listen, open, read, roundTrip } from './project.mjs'

const RUNS = { event: '*', schema: 'hq', table: 'runs' }
const TOPIC = 'hq-runs-realtime'
const LOGS = { limit_count: 50, level_filter: null, source_filter: null }

const isAbout = (id, status) => ({ new: row }) => row.id === id && row.status === status

test('the client speaks the protocol of the deployed page', async () => {
  const page = await open()

  assert.match(page.realtime.endpointURL(), /[?&]vsn=2\.0\.0(&|$)/)
})

test('the owner sees a run appear, start and end, and then reads it', async (t) => {
  const page = await open('owner')
  const { changes } = await listen(t, page, TOPIC, { changes: [RUNS] })

  const { data } = await invoke(page, 'executive-run', { run_type: 'CEO_STANDUP_MEETING' })
  await changes.until('the end of the run', isAbout(data.run_id, 'completed'))

  const told = changes.items.filter((change) => change.new.id === data.run_id)
  assert.deepEqual([told[0].eventType, told.at(-1).eventType], ['INSERT', 'UPDATE'])
  assert.deepEqual(Object.keys(told[0].new).sort(), ['created_at', 'id', 'run_type', 'status'])
  const runs = await read(page, 'get_hq_recent_runs', { limit_count: 50 })
  const run = runs.find(({ id }) => id === data.run_id)
  assert.deepEqual([run.status, run.executive_summary], ['completed', data.executive_summary])
  assert.deepEqual(runs, runs.toSorted((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at)), 'newest first')
})

test('the log viewer reads how the run went', async () => {
  const page = await open('owner')
  const { data } = await invoke(page, 'executive-run', { run_type: 'CODE_REVIEW', platform_key: 'nearvity' })

  const lines = await read(page, 'get_hq_logs', LOGS)
  const ofRun = lines.filter((line) => line.run_id === data.run_id)

  assert.deepEqual(ofRun.map((line) => line.message).sort(), ['run.completed', 'run.started'])
  for (const { source, level, metadata } of ofRun) {
    assert.deepEqual([source, level], ['executive-run', 'info'])
    assert.ok(Object.values(metadata).flat().every((value) => value === null || typeof value !== 'object'), 'flat')
  }
  const filtered = await read(page, 'get_hq_logs', { ...LOGS, level_filter: 'info', source_filter: 'executive-run' })
  assert.ok(filtered.some((line) => line.run_id === data.run_id))
})

test('no viewer sees a run, and nobody without a session more than that something happened', async (t) => {
  const [owner, viewer, stranger] = [await open('owner'), await open('viewer'), await open()]
  const theirs = await Promise.all([viewer, stranger].map((client) => listen(t, client, TOPIC, { changes: [RUNS] })))
  const { changes } = await listen(t, owner, TOPIC, { changes: [RUNS] })

  const { data } = await invoke(owner, 'executive-run', { run_type: 'SEO_AUDIT', platform_key: 'nearvity' })
  await changes.until('the end of the run', isAbout(data.run_id, 'completed'))
  await Promise.all(theirs.map(roundTrip))

  const [heardByViewer, heardByStranger] = theirs.map((heard) => heard.changes.items)
  assert.deepEqual(heardByViewer, [])
  for (const change of heardByStranger) {
    assert.deepEqual([change.new, change.old, change.errors], [{}, {}, ['Error 401: Unauthorized']])
  }
})
