/**
 * A built frontend, as its host serves it: the files of one folder, and `index.html` for the addresses that its own
 * router makes up.
 */
import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.mp4': 'video/mp4',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.ttf': 'font/ttf',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
  '.xml': 'application/xml; charset=utf-8',
}

/** Answer a request from the folder `root`. */
export async function servePage(root, req, res) {
  if (req.method !== 'GET' && req.method !== 'HEAD') return refuse(res, 405, { allow: 'GET, HEAD' })
  const name = nameFile(req.url)
  if (name === null) return refuse(res, 400)
  // What looks like a file and is none is missing; anything else is an address of the page's router.
  const file = (await findFile(root, name)) ?? (path.extname(name) ? null : await findFile(root, 'index.html'))
  if (file === null) return refuse(res, 404)
  res.writeHead(200, {
    'content-type': TYPES[path.extname(file.path).toLowerCase()] ?? 'application/octet-stream',
    'content-length': file.size,
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
  })
  if (req.method === 'HEAD') return res.end()
  return pipeline(createReadStream(file.path), res).catch(() => res.destroy())
}

/** The path below the folder that an address names; null if it cannot be read. */
function nameFile(url) {
  try {
    const name = decodeURIComponent(url.replace(/[?#].*$/s, ''))
    return name.includes('\0') ? null : name
  } catch {
    return null
  }
}

/** The file of that name, if there is one in the folder: neither `..` nor a link leads out of it. */
async function findFile(root, name) {
  try {
    const found = await realpath(path.join(root, name))
    if (!found.startsWith(path.join(await realpath(root), path.sep))) return null
    const about = await stat(found)
    return about.isFile() ? { path: found, size: about.size } : null
  } catch {
    return null
  }
}

function refuse(res, status, headers = {}) {
  res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': 0, ...headers })
  res.end()
}
