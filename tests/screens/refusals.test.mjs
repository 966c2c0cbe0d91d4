/** Who is not the owner: refused by every function and every reading, and nothing of it leaves a run. */
import assert from 'node:assert/strict'
import test from 'node:test'

import { invoke, open, POSTED, read } from './project.mjs'

/** Shows which keys are there, to anybody who is signed in. */
const FOR_EVERYBODY = ['check-api-status']
const READINGS = {
  get_hq_recent_runs: { limit_count: 50 },
  get_hq_logs: { limit_count: 50, level_filter: null, source_filter: null },
  get_hq_run: { p_run_id: '00000000-0000-4000-8000-00000000abcd' },
  request_hq_run: { p_run_type: 'DAILY_EXECUTIVE_BRIEF' },
}
const LAUNCH = { run_type: 'DAILY_EXECUTIVE_BRIEF', action: 'execute', job_key: 'daily_platform_review' }

/** Do something that is refused, and see that nobody has asked for more runs afterwards; the plan may have. */
async function leavingNoRun(attempt) {
  const owner = await open('owner')
  const isAsked = (run) => run.owner_requested
  const count = async () => (await read(owner, 'get_hq_recent_runs', { limit_count: 1000 })).filter(isAsked).length
  const before = await count()
  await attempt()
  assert.equal(await count(), before)
}

test('a viewer is refused by every function', async (t) => {
  const viewer = await open('viewer', { programme: true })
  await leavingNoRun(async () => {
    for (const name of POSTED) {
      await t.test(name, async () => {
        const { data, status } = await invoke(viewer, name, LAUNCH)

        assert.equal(status, FOR_EVERYBODY.includes(name) ? 200 : 403)
        if (status === 403) assert.deepEqual([data.success, data.error_code], [false, 'forbidden'])
      })
    }
  })
})

test('nobody without a session is answered by any function', async (t) => {
  const stranger = await open(null, { programme: true })
  await leavingNoRun(async () => {
    for (const name of POSTED) {
      await t.test(name, async () => {
        const { data, status } = await invoke(stranger, name, LAUNCH)

        assert.equal(status, 401)
        assert.deepEqual([data.success, data.error_code], [false, 'unauthenticated'])
      })
    }
  })
})

test('the page tells each of them why', async () => {
  const [viewer, stranger] = [await open('viewer'), await open()]

  const forbidden = await invoke(viewer, 'executive-run', LAUNCH)
  const expired = await invoke(stranger, 'executive-run', LAUNCH)

  assert.deepEqual([forbidden.status, expired.status], [200, 200])
  assert.match(forbidden.data.error, /Permissions/)
  assert.match(expired.data.error, /Authorization/)
})

test('neither of them reads a run or a log, or asks for a run', async (t) => {
  for (const who of ['viewer', null]) {
    const client = await open(who)
    await leavingNoRun(async () => {
      for (const [name, parameters] of Object.entries(READINGS)) {
        await t.test(`${name} as ${who ?? 'nobody'}`, async () => {
          const { data, error } = await client.rpc(name, parameters)

          assert.equal(data, null)
          assert.match(error.message, /non autorisé|permission denied|réservé|présidence/i)
        })
      }
    })
  }
})
