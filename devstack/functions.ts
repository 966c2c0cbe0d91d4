/**
 * Serves FUNCTIONS_FOLDER as the platform does, each under /functions/v1/NAME; FUNCTIONS_PORT says where.
 * There every function has a process of its own and calls `Deno.serve`; here one process catches the handlers.
 * With FUNCTIONS_WALL_CLOCK_MS each has an isolate, as there: retired at half of that time, and at its end killed with
 * whatever it holds.
 */

import type { Message } from "./isolate.ts";

type Handler = (request: Request) => Response | Promise<Response>;

const folder = new URL(`file://${Deno.env.get("FUNCTIONS_FOLDER")}/`);
const handlers = new Map<string, Handler>();
const serve = Deno.serve;
const wallClockMs = Number(Deno.env.get("FUNCTIONS_WALL_CLOCK_MS") ?? 0);

/** A function in an isolate. */
class Isolate {
  #worker: Worker;
  #waiting = new Map<number, (answer: Response) => void>();
  #sent = 0;
  #born = performance.now();

  constructor(script: string) {
    this.#worker = new Worker(new URL("./isolate.ts", import.meta.url).href, { type: "module", name: script });
    this.#worker.onmessage = ({ data: { id, status, headers, body } }: MessageEvent<Message>): void => {
      this.#waiting.get(id)?.(new Response(body, { status: status ?? 500, headers }));
      this.#waiting.delete(id);
    };
    setTimeout(() => this.#kill(), wallClockMs);
  }

  get isRetired(): boolean {
    return performance.now() - this.#born > wallClockMs / 2;
  }

  handle(request: Request): Promise<Response> {
    const { url, method, headers, body } = request;
    const message: Message = { id: ++this.#sent, url, method, headers: [...headers], body };
    const answer = new Promise<Response>((resolve) => this.#waiting.set(message.id, resolve));
    this.#worker.postMessage(message, body ? [body] : []);
    return answer;
  }

  #kill(): void {
    this.#worker.terminate();
    const words = { code: "WORKER_LIMIT", message: "Function failed due to not having enough compute resources" };
    for (const resolve of this.#waiting.values()) resolve(Response.json(words, { status: 546 }));
  }
}

function isolate(script: string): Handler {
  let current: Isolate | undefined;
  return (request) => {
    if (current === undefined || current.isRetired) current = new Isolate(script);
    return current.handle(request);
  };
}

for (const { isDirectory, name } of Deno.readDirSync(folder)) {
  if (!isDirectory || name.startsWith("_")) continue;
  const script = new URL(`${name}/index.ts`, folder).href;
  if (wallClockMs > 0) {
    handlers.set(name, isolate(script));
    continue;
  }
  Object.defineProperty(Deno, "serve", { value: (handler: Handler) => handlers.set(name, handler) });
  await import(script);
}

serve({ hostname: "127.0.0.1", port: Number(Deno.env.get("FUNCTIONS_PORT")) }, (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/_health") return new Response("ok");
  const [, name = ""] = pathname.match(/^\/functions\/v1\/([^/]+)/) ?? [];
  return handlers.get(name)?.(request) ?? new Response("Function not found", { status: 404 });
});
