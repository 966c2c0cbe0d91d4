/**
 * Serves supabase/functions as the platform does, each under /functions/v1/NAME; FUNCTIONS_PORT says where.
 * There every function has a process of its own and calls `Deno.serve`; here one process catches the handlers.
 */

const folder = new URL("../supabase/functions/", import.meta.url);
const handlers = new Map<string, Deno.ServeHandler>();
const serve = Deno.serve;

for (const { isDirectory, name } of Deno.readDirSync(folder)) {
  if (!isDirectory || name.startsWith("_")) continue;
  Object.defineProperty(Deno, "serve", { value: (handler: Deno.ServeHandler) => handlers.set(name, handler) });
  await import(new URL(`${name}/index.ts`, folder).href);
}

serve({ hostname: "127.0.0.1", port: Number(Deno.env.get("FUNCTIONS_PORT")) }, (request, info) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/_health") return new Response("ok");
  const [, name = ""] = pathname.match(/^\/functions\/v1\/([^/]+)/) ?? [];
  return handlers.get(name)?.(request, info) ?? new Response("Function not found", { status: 404 });
});
