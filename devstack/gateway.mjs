/**
 * One address for the whole stack, as a hosted project has one: it routes by path to PostgREST, Auth, Realtime and
 * the functions, answers preflights, checks the API key and exchanges new-style keys for the role's token.
 *
 * Configuration: one JSON object, in the environment variable GATEWAY or as the only argument:
 *   { port, upstreams: { rest, auth, realtime, socket, functions }, keys: { "<api key>": "<token>" }, dist, control }
 * An upstream is "host:port"; `socket` is the WebSocket side of Realtime; `dist`, if given, is the folder of a built
 * frontend, which every other path is answered from. Standard library only.
 *
 * A test changes its ways by POST to /_control, with the word `control` in the header x-control:
 *   { legacyKeys, bearerKeys, faults: [{ path, status, body, type, pace }] }
 * `legacyKeys: false` refuses the JWT keys, as a project does that has disabled them; `bearerKeys: false` refuses
 * a key sb_… as a bearer token; a fault answers every path that begins so. Its `pace` is `whole`, or one at which no
 * answer ever comes whole: `silent`, `stalled` after the head, `trickling` a blank every 2 s, `endless`.
 */
import http from 'node:http'
import net from 'node:net'

import { servePage } from './page.mjs'

const config = JSON.parse(process.env.GATEWAY ?? process.argv[2])
const keys = new Map(Object.entries(config.keys))

// Idle sockets are dropped before any upstream would drop them, so that no request lands on a dying one.
const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 512, scheduling: 'lifo', timeout: 15_000 })

/** `keyed`: refuses callers without an API key. `opaque`: headers, CORS and path are the upstream's own business. */
const routes = [
  { prefix: '/rest/v1', name: 'rest', keyed: true },
  { prefix: '/auth/v1', name: 'auth', keyed: true },
  { prefix: '/realtime/v1', name: 'realtime', keyed: true },
  { prefix: '/functions/v1', name: 'functions', opaque: true },
].map((route) => ({ ...route, upstream: address(config.upstreams[route.name]) }))
const socketUpstream = address(config.upstreams.socket)

/** Addresses of Auth that a link in a mail, another provider or a verifier of tokens opens, which have no key. */
const PUBLIC_AUTH = /^\/auth\/v1\/(verify|callback|authorize|sso\/saml\/(acs|metadata)|\.well-known\/[a-z.-]+)(\?|$)/
const ways = { legacyKeys: true, bearerKeys: true, faults: [] }

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'Content-Encoding, Content-Location, Content-Range, Content-Type, Link, Location, Preference-Applied, ' +
    'Range-Unit, Retry-After, X-Request-Id, X-Supabase-Api-Version, X-Total-Count',
}
const ALLOWED_HEADERS =
  'accept-profile, apikey, authorization, content-profile, content-type, prefer, range, x-client-info, ' +
  'x-supabase-api-version'

const NO_PAGE = 'This address serves the API alone; `emocare dev --dist DIR` serves a built frontend here too.'

function address(hostAndPort) {
  if (!hostAndPort) return null
  const [host, port] = hostAndPort.split(':')
  return { host, port: Number(port) }
}

function findRoute(url) {
  return routes.find(({ prefix }) => url.startsWith(prefix) && /^(\/|\?|$)/.test(url.slice(prefix.length)))
}

/** The path as the upstream knows it. */
function innerPath(route, url) {
  if (route.opaque) return url
  const rest = url.slice(route.prefix.length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

/**
 * Put the role's token where the caller put an API key. Changes `headers`; returns the refusal, if any.
 */
function exchangeKeys(route, headers, queryKey, url) {
  if (route.opaque) return null
  const key = headers.apikey ?? queryKey
  const token = keys.get(key)
  if (token === undefined) {
    if (!route.keyed || PUBLIC_AUTH.test(url)) return null
    return key
      ? { message: 'Invalid API key', hint: 'Double check your Supabase `anon` or `service_role` API key.' }
      : { message: 'No API key found in request', hint: 'No `apikey` request header or url param was found.' }
  }
  const refusal = refuseKey(key, headers)
  if (refusal) return refusal
  // Auth needs no role of a legacy key: who sends no bearer token there is answered that it has none.
  if (route.name === 'auth' && token === key) return null
  if (headers.apikey !== undefined) headers.apikey = token
  if (!headers.authorization || headers.authorization === `Bearer ${key}`) headers.authorization = `Bearer ${token}`
  return null
}

/** Refuse a known key for what it is, where it is, or who sends it. */
function refuseKey(key, headers) {
  if (!key.startsWith('sb_') && !ways.legacyKeys) {
    return {
      message: 'Legacy API keys are disabled',
      hint: 'Your legacy API keys (anon, service_role) were disabled. Re-enable them, or use the new API keys.',
    }
  }
  // Only browsers say what they are and where a request comes from; the others could, and do not.
  if (key.startsWith('sb_secret_') && (headers['sec-fetch-mode'] || /^Mozilla\//.test(headers['user-agent'] ?? ''))) {
    return {
      message: 'Forbidden use of secret API key in browser',
      hint: 'Secret API keys can only be used in a protected environment and should never be used in a browser.',
    }
  }
  if (!ways.bearerKeys && /^Bearer sb_/i.test(headers.authorization ?? '')) {
    return { message: 'Invalid JWT', hint: 'An API key of the new kind belongs in the header `apikey` alone.' }
  }
  return null
}

function findFault(url) {
  return ways.faults.find(({ path }) => url.startsWith(path))
}

function answerFault(res, { status, body, type, pace }) {
  if (pace === 'silent') return
  if (pace === 'whole') {
    res.writeHead(status, { ...CORS, 'content-type': type, 'content-length': Buffer.byteLength(body) })
    return res.end(body)
  }
  res.writeHead(status, { ...CORS, 'content-type': type })
  res.flushHeaders()
  if (pace === 'stalled') return
  const [bytes, every] = pace === 'endless' ? [1024, 10] : [1, 2000]
  const timer = setInterval(() => res.write(' '.repeat(bytes)), every)
  res.on('close', () => clearInterval(timer))
}

async function changeWays(req, res) {
  if (!config.control || req.headers['x-control'] !== config.control) return answer(res, 404, { message: 'not found' })
  let text = ''
  for await (const chunk of req) text += chunk
  Object.assign(ways, JSON.parse(text))
  return answer(res, 200, ways)
}

function answer(res, status, body, headers = {}) {
  if (res.headersSent) return res.destroy()
  const text = body === null ? '' : JSON.stringify(body)
  res.writeHead(status, { ...CORS, 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers })
  return res.end(text)
}

function unavailable(route) {
  const message =
    route.name === 'functions'
      ? `No function server answers at ${config.upstreams.functions ?? '(none configured)'}: start the workers or the relay there.`
      : `The ${route.name} service is not running.`
  return { code: 'UPSTREAM_UNAVAILABLE', message }
}

function answerPreflight(req, res) {
  res.writeHead(204, {
    ...CORS,
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
    'access-control-allow-headers': req.headers['access-control-request-headers'] ?? ALLOWED_HEADERS,
    'access-control-max-age': '3600',
  })
  res.end()
}

function isPreflight(req) {
  return req.method === 'OPTIONS' && req.headers['access-control-request-method'] !== undefined
}

function forward(route, req, res) {
  const headers = { ...req.headers }
  delete headers.connection
  const refusal = exchangeKeys(route, headers, null, req.url)
  if (refusal) return answer(res, 401, refusal)
  const outgoing = http.request({
    ...route.upstream, agent, method: req.method, path: innerPath(route, req.url), headers,
  })
  outgoing.on('response', (incoming) => {
    const { connection, 'keep-alive': keepAlive, ...passed } = incoming.headers
    res.writeHead(incoming.statusCode, route.opaque ? passed : { ...passed, ...CORS })
    incoming.on('error', () => res.destroy())
    incoming.pipe(res)
  })
  outgoing.on('error', () => (isPreflight(req) ? answerPreflight(req, res) : answer(res, 503, unavailable(route))))
  res.on('close', () => res.writableFinished || outgoing.destroy())
  return req.pipe(outgoing)
}

const server = http.createServer((req, res) => {
  if (req.url === '/_control') return changeWays(req, res)
  const route = findRoute(req.url)
  const fault = findFault(req.url)
  if (fault && !isPreflight(req)) return answerFault(res, fault)
  if (!route && config.dist) return servePage(config.dist, req, res)
  if (isPreflight(req) && !(route?.opaque && route.upstream)) return answerPreflight(req, res)
  if (!route) return answer(res, 404, { message: 'no Route matched with those values', hint: NO_PAGE })
  if (!route.upstream) return answer(res, 503, unavailable(route))
  return forward(route, req, res)
})

/** A WebSocket is tunnelled byte by byte: what happens to one side, a cut included, happens to the other. */
server.on('upgrade', (req, client, head) => {
  client.on('error', () => client.destroy())
  const refuse = (status, body) => {
    const text = JSON.stringify(body)
    client.end(
      `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? 'Unknown'}\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
    )
  }
  const route = findRoute(req.url)
  const fault = findFault(req.url)
  if (fault) return refuse(fault.status, fault.body)
  if (route?.name !== 'realtime') return refuse(404, { message: 'no Route matched with those values' })
  const url = new URL(req.url, 'http://gateway')
  const headers = { ...req.headers }
  const key = headers.apikey ?? url.searchParams.get('apikey')
  const refusal = exchangeKeys(route, headers, key, req.url)
  if (refusal) return refuse(401, refusal)
  url.searchParams.set('apikey', keys.get(key))

  const upstream = net.connect(socketUpstream)
  upstream.setNoDelay(true)
  client.setNoDelay(true)
  client.setTimeout(0)
  let connected = false
  upstream.on('connect', () => {
    connected = true
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    upstream.write(`GET ${innerPath(route, url.pathname)}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n`)
    upstream.write(head)
    client.pipe(upstream).pipe(client)
  })
  upstream.on('error', () => connected || refuse(503, unavailable(route)))
  upstream.on('close', () => connected && client.destroy())
  client.on('close', () => upstream.destroy())
  return undefined
})

server.keepAliveTimeout = 75_000
server.requestTimeout = 0
server.on('clientError', (_error, socket) => socket.destroy())
server.on('error', (error) => {
  console.error(error.message)
  process.exit(1)
})
process.on('SIGTERM', () => process.exit(0))
server.listen(config.port, '127.0.0.1')
