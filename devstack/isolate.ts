/** One function in an isolate of its own: it is sent requests, and sends back what the function's handler answers. */

/** What crosses the border: streams are handed over, so that a body may come slowly. */
export interface Message {
  id: number;
  url?: string;
  method?: string;
  status?: number;
  headers: [string, string][];
  body: ReadableStream<Uint8Array> | null;
}

/** The isolate's side: what is here is deaf in the thread that only wants the types. */
const scope = self as unknown as {
  name: string;
  onmessage: ((event: MessageEvent<Message>) => void) | null;
  postMessage(message: Message, transfer: Transferable[]): void;
};

if (scope.name !== "") {
  const { promise: handler, resolve } = Promise.withResolvers<(request: Request) => Promise<Response>>();
  Object.defineProperty(Deno, "serve", { value: resolve });
  scope.onmessage = async ({ data: { id, url = "", method = "", headers, body } }): Promise<void> => {
    const response = await (await handler)(new Request(url, { method, headers, body }));
    const answer: Message = { id, status: response.status, headers: [...response.headers], body: response.body };
    scope.postMessage(answer, response.body ? [response.body] : []);
  };
  await import(scope.name);
}
