/** The owner's screens: each call that they make to a function, and each field that they read of its answer. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { invoke, isId, isMoment, open, POSTED, project, read, script } from './project.mjs'

const HERO_MS = 1500

/** What a function is asked where `{}` means nothing to it. */
const BODIES = {
  'executive-run': { run_type: 'DAILY_EXECUTIVE_BRIEF' },
  'ai-scheduler': { action: 'status' },
  'scheduled-runs': { action: 'list' },
  'stripe-kpis': undefined,
  'check-api-status': undefined,
}

test('every function that has a route answers the owner', async (t) => {
  const page = await open('owner')
  for (const name of POSTED) {
    await t.test(name, async () => {
      const { data, status } = await invoke(page, name, name in BODIES ? BODIES[name] : {})

      if (data.error_code === 'push_not_configured') return // there are no VAPID keys here
      assert.equal(status, 200)
      assert.equal(typeof data, 'object')
    })
  }
})

test('a monitor reads how the workers are, without a session', async () => {
  const answer = await fetch(`${project.url}/functions/v1/healthz`)
  const health = await answer.json()

  assert.ok([200, 503].includes(answer.status))
  assert.deepEqual(Object.keys(health).sort(), ['checks', 'status', 'timestamp', 'version'])
  for (const name of ['database', 'ai_gateway_breaker', 'edge_runtime']) assert.equal(typeof health.checks[name].ok, 'boolean')
})

test('a look at what should be announced is counted, and read in its history', async () => {
  const page = await open('owner')

  const { data } = await invoke(page, 'check-push-triggers')
  const [line] = await read(page, 'get_hq_logs', { limit_count: 30, level_filter: null, source_filter: 'push-triggers' })

  assert.equal(data.checked, true)
  for (const name of ['failed_runs', 'red_platforms', 'stale_approvals']) {
    assert.equal(typeof data.details[name], 'number')
    assert.equal(typeof line.metadata[name], 'number')
  }
})

test('a launch is answered with the report', async () => {
  const page = await open('owner')
  const began = performance.now()

  const { data } = await invoke(page, 'executive-run', { run_type: 'PLATFORM_STATUS_REVIEW' })

  assert.equal(data.error, undefined)
  assert.equal(data.success, true)
  assert.ok(isId(data.run_id))
  assert.equal(data.run_type, 'PLATFORM_STATUS_REVIEW')
  assert.ok(data.executive_summary.length > 100)
  assert.equal(typeof data.model_used, 'string')
  assert.equal(data.fallback_used, false)
  assert.ok(data.data_sources.length > 0 && data.data_sources.every((source) => typeof source === 'string'))
  assert.ok(isMoment(data.completed_at))
  assert.ok(performance.now() - began > HERO_MS, 'the hero button stays stuck after a quicker answer')
})

test('the buttons of the meetings page launch', async () => {
  const page = await open('owner')
  for (const run_type of ['PLATFORM_DIRECTORS_MEETING', 'WEEKLY_EXEC_REVIEW']) {
    const { data } = await invoke(page, 'executive-run', { run_type })

    assert.deepEqual([data.error, data.run_type], [undefined, run_type])
    const [listed] = await read(page, 'get_hq_recent_runs', { limit_count: 20 })
    assert.deepEqual([listed.run_type, listed.status], [run_type, 'completed'])
  }
})

test('a programme is not held back', async () => {
  const programme = await open('owner', { programme: true })
  const began = performance.now()

  await invoke(programme, 'executive-run', {})

  assert.ok(performance.now() - began < HERO_MS)
})

test('a double click is one run', async () => {
  const page = await open('owner')
  const body = { run_type: 'PLATFORM_STATUS_REVIEW', platform_key: 'nearvity' }

  const [first, second] = await Promise.all([1, 2].map(() => invoke(page, 'executive-run', body)))

  assert.deepEqual([first.data.error, second.data.error], [undefined, undefined])
  assert.ok(isId(first.data.run_id))
  assert.equal(second.data.run_id, first.data.run_id)
})

test('a failure is told in a sentence, and the same run launched again once its cause is gone', async () => {
  const page = await open('owner')
  const body = { run_type: 'PLATFORM_STATUS_REVIEW', platform_key: 'emotionscare' }
  await script('openai', { status: 402 })

  const failed = await invoke(page, 'executive-run', body)
  const [listed] = await read(page, 'get_hq_recent_runs', { limit_count: 50 })
  // For two seconds the same request would get the same run, as a double click does. A credit is not recharged in less.
  await sleep(Math.max(0, Date.parse(listed.completed_at) + 2_100 - Date.now()))
  const again = await invoke(page, 'executive-run', body)

  assert.equal(failed.status, 200, 'the page can only show the error of a 200')
  assert.match(failed.data.error, /^Crédits IA insuffisants/)
  assert.deepEqual([listed.status, listed.platform_key], ['failed', 'emotionscare'])
  assert.ok(listed.executive_summary.length > 0)
  assert.equal(again.data.error, undefined)
  assert.notEqual(again.data.run_id, listed.id)
})

test('a programme gets the status of a failure', async () => {
  const programme = await open('owner', { programme: true })

  const refused = await invoke(programme, 'executive-run', { run_type: 'NO_SUCH_TYPE' })

  assert.equal(refused.status, 400)
  assert.equal(refused.data.error_code, 'unknown_run_type')
})

test('the panel of the scheduler reads its jobs', async () => {
  const page = await open('owner')

  const { data } = await invoke(page, 'ai-scheduler', { action: 'status' })

  assert.ok(data.jobs.length > 0)
  for (const job of data.jobs) {
    for (const field of ['key', 'name', 'description', 'cronExpression', 'priority']) assert.equal(typeof job[field], 'string')
    assert.equal(typeof job.enabled, 'boolean')
    assert.equal(typeof job.isDueNow, 'boolean')
    assert.ok(job.lastRun === null || isMoment(job.lastRun.completedAt), 'the whole cockpit crashes otherwise')
  }
})

test('the scheduler decides', async () => {
  const page = await open('owner')

  const { data } = await invoke(page, 'ai-scheduler', { action: 'ai_decide' })

  assert.equal(data.success, true)
  assert.match(data.ai_decision.reasoning, /Cause : autopilote éteint\.$/, 'the panel shows nothing else')
  assert.equal(typeof data.ai_decision.next_check_in_minutes, 'number')
  assert.ok(Array.isArray(data.executed))
})

test('a job is executed from the panel, which then shows when it ended', async () => {
  const page = await open('owner')
  const before = await invoke(page, 'ai-scheduler', { action: 'status' })
  const { key } = before.data.jobs[0]

  const { data } = await invoke(page, 'ai-scheduler', { action: 'execute', job_key: key })
  const after = await invoke(page, 'ai-scheduler', { action: 'status' })

  assert.equal(data.error, undefined)
  assert.ok(isId(data.run_id))
  const { lastRun } = after.data.jobs.find((job) => job.key === key)
  assert.deepEqual([lastRun.id, lastRun.status], [data.run_id, 'completed'])
  assert.ok(isMoment(lastRun.completedAt))
})

test('the scheduled runs are listed, shown and executed', async () => {
  const page = await open('owner')

  const { data: list } = await invoke(page, 'scheduled-runs', { action: 'list' })
  const { data: states } = await invoke(page, 'scheduled-runs', { action: 'status' })
  const { key } = list.jobs.at(-1)
  const { data: executed } = await invoke(page, 'scheduled-runs', { action: 'execute', job_key: key })

  assert.deepEqual(states.jobs.map((job) => job.key), list.jobs.map((job) => job.key))
  assert.equal(executed.error, undefined)
  assert.ok(isId(executed.run_id))
})

test('an unknown job is refused in a sentence', async () => {
  const page = await open('owner')

  const { data, status } = await invoke(page, 'ai-scheduler', { action: 'execute', job_key: 'no-such-job' })

  assert.deepEqual([status, data.success], [200, false])
  assert.ok(data.error.length > 0)
})

test('the settings page reads which keys are there', async () => {
  const page = await open('owner')

  const { data } = await invoke(page, 'check-api-status')

  assert.equal(data.status.github, true)
  assert.equal(data.status.lovable_ai, true)
  for (const key of ['stripe', 'perplexity', 'firecrawl']) assert.equal(typeof data.status[key], 'boolean')
  assert.ok(isMoment(data.checked_at))
})
