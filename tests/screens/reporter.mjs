/** Reports one JSON line per test: its name, whether it passed, and what each failing part of it had to say. */
export default async function* report(events) {
  let failures = []
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const { error } = data.details
    const isSummary = error?.failureType === 'subtestsFailed'
    if (type === 'test:fail' && !isSummary) failures.push(`${data.name}: ${error.cause?.stack ?? error.cause ?? error}`)
    if (data.nesting > 0) continue
    yield `${JSON.stringify({ name: data.name, passed: type === 'test:pass', failures })}\n`
    failures = []
  }
}
