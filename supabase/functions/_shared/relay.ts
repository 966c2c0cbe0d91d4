/**
 * Stands in front of the Python workers, under the names of the functions that they replace: the deployed page may
 * only call *.supabase.co. A request goes to the workers with one idempotency key, and their answer comes back.
 * For browsers, failures become what a screen can show. When the workers are silent, a run is asked of the database.
 *
 * Secrets of the project: WORKERS_URL, ALLOWED_ORIGIN (a comma list; absent is any), RELAY_TIMEOUT_MS, RELAY_MIN_MS,
 * RELAY_ERRORS_AS_200. The platform itself sets SUPABASE_URL, SUPABASE_PUBLISHABLE_KEYS and SUPABASE_ANON_KEY.
 */

const BODY_LIMIT_BYTES = 256 * 1024;
// An isolate takes no request after half its wall clock (150 s on the free plan, 400 s on a paid one) and is killed at
// its end with what it holds: whatever is answered within 75 s is safe on both. Asking the workers and then the database
// stays below that, and the workers answer before they are given up (RUN_WAIT_SECONDS, 50 s).
const WORKERS_TIMEOUT_MS = 60_000;
const DATABASE_TIMEOUT_MS = 10_000;
const CONFIRM_TIMEOUT_MS = 3_000;
/** Longer than the reply takes with which a caller that has left refuses what it is sent. */
const BETWEEN_PIECES_MS = 200;

// Not Origin: the relay answers for cross-origin rules, and the workers would answer for them a second time.
const PASSED_HEADERS = ["authorization", "apikey", "content-type", "x-client-info", "x-cron-secret"];
const RETURNED_HEADERS = ["cache-control", "content-type", "retry-after", "x-request-id"];
const ALLOWED_HEADERS = "authorization, x-client-info, apikey, content-type, x-supabase-client-platform, " +
  "x-supabase-client-platform-version, x-supabase-client-runtime, x-supabase-client-runtime-version, " +
  "idempotency-key, x-request-id, x-region, x-retry-count, traceparent, tracestate, baggage";
/** How long a page may trust a preflight. Without it, it asks before nearly every call: pages poll by the minute. */
const REMEMBERED = { "access-control-max-age": "3600" };
/** Where a call stands in a trace, in version 00 of W3C Trace Context; neither id may be all zeros. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
/** What may go into a log line or a unique index as it came. */
const SANE = /^[\w.:-]{1,128}$/;

interface Traits {
  /** Doing it twice does no harm, so that a dropped connection may be tried again. The autopilot would pay twice. */
  repeatable: boolean;
  /** Whether a screen reads `error` of a 200 after this action. */
  isHeard: (action: unknown) => boolean;
  /** What it answers to, if not to POST alone. */
  methods?: string[];
  /** Any page may read it, whatever ALLOWED_ORIGIN says. */
  isPublic?: boolean;
}

const FUNCTIONS = {
  "executive-run": { repeatable: true, isHeard: () => true },
  "ai-scheduler": { repeatable: false, isHeard: (action) => action === "execute" },
  "scheduled-runs": { repeatable: false, isHeard: (action) => action === "execute" },
  "stripe-kpis": { repeatable: true, isHeard: () => true },
  "check-api-status": { repeatable: true, isHeard: () => false },
  "platform-monitor": { repeatable: true, isHeard: () => false },
  // Doing it twice would show a device its message twice.
  "send-push-notification": { repeatable: false, isHeard: () => false, methods: ["GET", "POST"] },
  "retry-dlq-runs": { repeatable: true, isHeard: () => false },
  "check-ai-budget": { repeatable: true, isHeard: () => false },
  "check-push-triggers": { repeatable: true, isHeard: () => false },
  "healthz": { repeatable: true, isHeard: () => false, methods: ["GET"], isPublic: true },
} satisfies Record<string, Traits>;

/** A function that the workers replace. */
export type FunctionName = keyof typeof FUNCTIONS;

const LAUNCH: FunctionName = "executive-run";
const HEALTH: FunctionName = "healthz";
/** A monitor asks again soon, and the workers answer within 5 s. */
const HEALTH_TIMEOUT_MS = 10_000;

/**
 * What a screen shows after an error. The page chooses its toast by words of the sentence, in this order:
 * "Authorization" (session), "Permissions", "Limite", "unavailable" (the model); any other sentence is shown itself.
 * So these are constants: no figure, no id, nothing that somebody else wrote. Only a launch is told that way; elsewhere
 * the page shows the sentence, without the cue.
 */
const SENTENCES = new Map<unknown, string>([
  ["unauthenticated", "Session expirée (Authorization) : reconnectez-vous, puis relancez."],
  ["forbidden", "Permissions insuffisantes : cette action est réservée à la présidence."],
  ["rate_limited", "Limite de demandes atteinte : patientez quelques minutes, puis relancez."],
  ["gateway_rate_limited", "Limite de requêtes du service d'IA atteinte : relancez dans quelques minutes."],
  ["gateway_unavailable", "Service d'IA momentanément indisponible (unavailable) : relancez dans une minute."],
  ["breaker_open", "Service d'IA en pause après plusieurs échecs (unavailable) : relancez dans une minute."],
  ["gateway_out_of_credit", "Crédits IA insuffisants : rechargez le compte du service d'IA, puis relancez."],
  ["gateway_rejected", "Le service d'IA a refusé la demande : l'équipe technique doit vérifier sa configuration."],
  ["gateway_answer_unusable", "Le service d'IA a rendu une réponse vide ou tronquée : relancez."],
  ["report_unusable", "Le rapport de l'IA n'était pas acceptable et n'a pas été enregistré : relancez."],
  ["backend", "La base de données ne répond pas pour le moment : réessayez bientôt."],
  ["backend_unavailable", "La base de données ne répond pas pour le moment : réessayez bientôt."],
  ["queue_held", "Quelqu'un tient cette file, sans doute dans un éditeur SQL : réessayez dans quelques secondes."],
  ["backend_rejected", "La base de données a refusé l'opération : prévenez l'équipe technique."],
  ["invalid_request", "La demande est incomplète ou mal formée : vérifiez les champs, puis relancez."],
  ["unknown_run_type", "Ce type de run n'existe pas : choisissez-en un dans la liste."],
  ["unknown_platform", "Cette plateforme n'est pas connue du QG : choisissez-en une dans la liste."],
  ["not_found", "Cet élément est introuvable : actualisez la page, puis réessayez."],
  ["wrong_method", "Cette fonction ne répond pas à cette méthode HTTP."],
  ["run_cancelled", "Ce run a été annulé : relancez-le si besoin."],
  ["idempotency_key_reused", "Cette demande porte la clé d'une autre : actualisez la page, puis relancez."],
  ["context_too_large", "La demande est trop volumineuse : raccourcissez-la, puis relancez."],
  ["body_too_large", "La demande est trop volumineuse : raccourcissez-la, puis relancez."],
  ["run_timed_out", "Le run a dépassé le temps permis : relancez-le ; si cela persiste, prévenez l'équipe technique."],
  ["workers_silent", "Le service des runs ne répond pas : vérifiez la liste des runs avant de relancer."],
  ["cron_not_configured", "Le déclenchement par cron n'est pas configuré : l'équipe technique doit le régler."],
  ["push_not_configured", "Les notifications sur appareil ne sont pas configurées : l'équipe technique doit le faire."],
  ["internal_error", "Une erreur interne est survenue : l'équipe technique la trouvera dans les journaux."],
]);

/** What is said of earnings where the usual sentence is about runs or about the model. */
const NO_FIGURES = "Les chiffres ne peuvent pas être lus pour le moment : réessayez dans quelques minutes.";
const NOT_ABOUT_FIGURES = /^(?:gateway|breaker|run)_|^workers_silent$/;

const CUE = / \((?:Authorization|unavailable)\)/;

/** What an error is called when it does not say so, or by a name without a sentence. */
const CODE_OF_STATUS = new Map([
  [400, "invalid_request"],
  [401, "unauthenticated"],
  [402, "gateway_out_of_credit"],
  [403, "forbidden"],
  [404, "not_found"],
  [405, "wrong_method"],
  [409, "run_cancelled"],
  [413, "body_too_large"],
  [422, "invalid_request"],
  [429, "rate_limited"],
  [503, "gateway_unavailable"],
  [504, "run_timed_out"],
]);

/** How the database refuses: by our codes; for text that it cannot keep (a NUL, half a character); for who asks. */
const REFUSALS = new Map<unknown, Refusal>([
  ["HQ001", [403, "forbidden"]],
  ["HQ002", [400, "unknown_run_type"]],
  ["HQ003", [400, "unknown_platform"]],
  ["HQ004", [429, "rate_limited"]],
  ["HQ005", [413, "context_too_large"]],
  ["HQ006", [404, "not_found"]],
  ["HQ007", [409, "idempotency_key_reused"]],
  ["HQ008", [503, "queue_held"]],
  ["22P02", [400, "invalid_request"]],
  ["22P05", [400, "invalid_request"]],
  ["PGRST102", [400, "invalid_request"]],
  [401, [401, "unauthenticated"]],
  [403, [403, "forbidden"]],
]);
const SILENT: Refusal = [503, "workers_silent"];

type Refusal = [status: number, code: string];
type Fields = Record<string, unknown>;

/** A request that may be passed on. */
interface Call {
  name: FunctionName;
  method: string;
  requestId: string;
  idempotencyKey: string;
  headers: Headers;
  body: ArrayBuffer;
}

/** A JSON answer, the workers' or ours. */
interface Answer {
  status: number;
  body: ArrayBuffer | string;
  headers: Record<string, string>;
  /** The failed runs that it is about; the workers announce them unless they hear that it arrived. */
  unconfirmed?: string | null;
}

/** Why nothing was heard of the workers: no connection, no answer in time, or somebody else (a proxy) answered. */
type Silence = "unreachable" | "late" | "foreign";

/** Make the handler of one function. */
export function relay(name: FunctionName): (request: Request) => Promise<Response> {
  const { isHeard, methods = ["POST"], isPublic = false }: Traits = FUNCTIONS[name];

  return async (request) => {
    const began = performance.now();
    const { method, headers } = request;
    const origin = headers.get("origin");
    const corsHeaders = describeOrigins(origin, isPublic);
    const requestId = sane(headers.get("x-request-id")) ?? crypto.randomUUID();
    const respond = ({ status, headers, ...answer }: Answer, body: BodyInit = answer.body): Response =>
      new Response(body, { status, headers: { "x-request-id": requestId, ...headers, ...corsHeaders } });
    if (method === "OPTIONS") return respond({ status: 200, body: "ok", headers: REMEMBERED });
    if (!methods.includes(method)) {
      return respond(refuse(405, "wrong_method", { allow: [...methods, "OPTIONS"].join(", ") }));
    }

    const patience = readMilliseconds("RELAY_TIMEOUT_MS", WORKERS_TIMEOUT_MS);
    const deadline = AbortSignal.timeout(name === HEALTH ? Math.min(patience, HEALTH_TIMEOUT_MS) : patience);
    const idempotencyKey = sane(headers.get("idempotency-key")) ?? crypto.randomUUID();
    const body = await readBody(request, deadline);
    const isRead = body instanceof ArrayBuffer;
    const call: Call = { name, method, requestId, idempotencyKey, headers, body: isRead ? body : new ArrayBuffer(0) };
    const answer = isRead ? await pass(call, deadline) : body;
    const { unconfirmed } = answer;
    const send = (shown: Answer): Response =>
      respond(shown, unconfirmed ? sendInPieces(shown.body, () => confirm(call, unconfirmed)) : shown.body);
    if (origin === null) return send(answer);

    const action = parseFields(call.body)["action"];
    // The page's launch button stays stuck after an answer that is quicker than its animation.
    if (name === LAUNCH) await sleep(began + readMilliseconds("RELAY_MIN_MS", 1600) - performance.now());
    return send(isHeard(action) && isSwitchedOn("RELAY_ERRORS_AS_200") ? sayToScreen(name, answer) : answer);
  };
}

/**
 * Send an answer in two pieces, the first a blank, which JSON may begin with; call back when both were taken. The second
 * is refused if the caller has left, of which the platform gives no other sign: no signal is aborted there while a
 * request waits, and a short answer to nobody is sent as well as any.
 */
function sendInPieces(body: ArrayBuffer | string, onTaken: () => Promise<void>): ReadableStream<Uint8Array> {
  const whole = typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body);
  const pieces = [new TextEncoder().encode(" "), whole];
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    if (pieces.length === 1) await sleep(BETWEEN_PIECES_MS);
    const piece = pieces.shift();
    if (piece !== undefined) return controller.enqueue(piece);
    controller.close();
    const platform = globalThis as { EdgeRuntime?: { waitUntil(work: Promise<void>): void } };
    const confirming = onTaken();
    platform.EdgeRuntime?.waitUntil(confirming);
  };
  // Nothing is fetched ahead: a piece that is asked for says that the one before it was taken.
  return new ReadableStream({ pull }, { highWaterMark: 0 });
}

/** Let the workers know that the caller was answered how these runs failed; if they do not hear it, they announce it. */
async function confirm(call: Call, runs: string): Promise<void> {
  const url = `${readAddress("WORKERS_URL")}/relay/v1/answers`;
  const headers = { ...pick(call.headers, ["authorization"]), "x-request-id": call.requestId };
  const init: RequestInit = {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ run_ids: runs.split(",") }),
    redirect: "manual",
    signal: AbortSignal.timeout(CONFIRM_TIMEOUT_MS),
  };
  try {
    const response = await fetch(url, init).catch(() => fetch(url, init));
    await response.body?.cancel();
    if (!response.ok) log("relay.unconfirmed", call);
  } catch {
    log("relay.unconfirmed", call);
  }
}

/** Read the body; the refusal, if it is too large or does not come whole and in time. */
async function readBody(request: Request, deadline: AbortSignal): Promise<ArrayBuffer | Answer> {
  const chunks: BlobPart[] = [];
  let size = 0;
  const isTooLarge = (bytes: number): boolean => bytes > BODY_LIMIT_BYTES;
  const sink = new WritableStream<Uint8Array<ArrayBuffer>>({
    write(chunk): void {
      size += chunk.byteLength;
      if (isTooLarge(size)) throw new RangeError();
      chunks.push(chunk);
    },
  });
  if (isTooLarge(Number(request.headers.get("content-length")))) return refuse(413, "body_too_large");
  try {
    await request.body?.pipeTo(sink, { signal: deadline });
  } catch {
    return isTooLarge(size) ? refuse(413, "body_too_large") : refuse(400, "invalid_request");
  }
  return await new Blob(chunks).arrayBuffer();
}

/** Ask the workers; when they are silent, have the run made by the database. */
async function pass(call: Call, deadline: AbortSignal): Promise<Answer> {
  const heard = await askWorkers(call, deadline);
  if (typeof heard !== "string") return heard;
  log(`relay.workers_${heard}`, call);
  if (call.name === LAUNCH) return await askDatabase(call);
  if (call.name === HEALTH) return describeSilence(heard);
  return refuse(heard === "late" ? 504 : 503, "workers_silent");
}

/** Say that no worker answers, in the shape in which they say how they are. */
function describeSilence(silence: Silence): Answer {
  const unknown = { ok: false, detail: "unknown" };
  const body = {
    status: "degraded",
    version: "unknown",
    timestamp: new Date().toISOString(),
    checks: {
      workers: { ok: false, detail: silence },
      database: unknown,
      queue: unknown,
      realtime: unknown,
      ai_gateway_breaker: unknown,
      edge_runtime: { ok: true },
    },
  };
  return say(503, body, { "cache-control": "no-store" });
}

async function askWorkers(call: Call, deadline: AbortSignal): Promise<Answer | Silence> {
  const url = `${readAddress("WORKERS_URL")}/functions/v1/${call.name}`;
  const { requestId, idempotencyKey } = call;
  const ids = { "x-request-id": requestId, "idempotency-key": idempotencyKey, "x-relay-confirms": "1" };
  const headers = { ...pick(call.headers, PASSED_HEADERS), ...readTrace(call.headers), ...ids };
  // A redirection is not followed: it would hand the caller's token to somebody else.
  const init: RequestInit = { method: call.method, headers, redirect: "manual", signal: deadline };
  if (call.method !== "GET") init.body = call.body;
  try {
    const response = await fetch(url, init).catch((error) => {
      if (deadline.aborted || !FUNCTIONS[call.name].repeatable) throw error;
      return fetch(url, init);
    });
    const type = response.headers.get("content-type") ?? "";
    const isRedirection = response.status >= 300 && response.status < 400;
    // The workers only speak JSON. Whoever does not is a proxy in front of workers that are away.
    if (!/^application\/json\b/i.test(type) || isRedirection || response.body === null) {
      await response.body?.cancel();
      return "foreign";
    }
    const body = await response.arrayBuffer();
    const unconfirmed = response.headers.get("x-unconfirmed-runs");
    return { status: response.status, body, headers: pick(response.headers, RETURNED_HEADERS), unconfirmed };
  } catch {
    return deadline.aborted ? "late" : "unreachable";
  }
}

/**
 * Ask the database for the run, as the caller. The key is the one that the workers were given: had they taken the
 * request before they fell silent, this finds their run. Who may ask is who may ask the workers, a signed-in owner: the
 * database knows an owner by itself, but would take a service key for an operator's.
 */
async function askDatabase(call: Call): Promise<Answer> {
  const { run_type, platform_key = null, context_data = {} } = parseFields(call.body);
  if (typeof run_type !== "string" || (platform_key !== null && typeof platform_key !== "string")) {
    return refuse(400, "invalid_request");
  }
  const authorization = call.headers.get("authorization") ?? "";
  if (isServiceKey(authorization.replace(/^\s*bearer\s+/i, ""))) return refuse(401, "unauthenticated");
  try {
    const response = await fetch(`${readAddress("SUPABASE_URL")}/rest/v1/rpc/request_hq_run`, {
      method: "POST",
      headers: {
        authorization,
        apikey: chooseKey(call),
        "content-type": "application/json",
        ...readTrace(call.headers),
      },
      body: JSON.stringify({
        p_run_type: run_type,
        p_platform_key: platform_key,
        p_context: context_data,
        p_idempotency_key: call.idempotencyKey,
      }),
      signal: AbortSignal.timeout(DATABASE_TIMEOUT_MS),
    });
    const told = await response.json();
    // Without a code it is not PostgREST that answers, but its gateway, of the key: no fault of the caller.
    const byStatus = typeof told.code === "string" ? REFUSALS.get(response.status) : undefined;
    if (!response.ok) return refuse(...(REFUSALS.get(told.code) ?? byStatus ?? SILENT));
    const [{ run_id, status, reason }] = told;
    const paused = /, paused$/.test(reason);
    const executive_summary = describeProgress(status, paused);
    return say(202, { success: true, status, ...(paused && { paused }), run_id, run_type, executive_summary });
  } catch {
    log("relay.database_silent", call);
    return refuse(...SILENT);
  }
}

/** Whether this opens everything: a secret key, or a token of the service's role. It is not verified, only refused. */
function isServiceKey(key: string): boolean {
  if (key.trim().startsWith("sb_secret_")) return true;
  try {
    const payload = (key.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    return parseFields(atob(payload))["role"] === "service_role";
  } catch {
    return false;
  }
}

/**
 * The page's own key, which its project accepted a moment ago, unless it is a service key; else the platform's newer
 * key; else the legacy one, which functions still find in their environment when the project has disabled it.
 */
function chooseKey(call: Call): string {
  const publishable = parseFields(Deno.env.get("SUPABASE_PUBLISHABLE_KEYS") ?? "")["default"];
  const known = typeof publishable === "string" ? publishable : Deno.env.get("SUPABASE_ANON_KEY");
  const own = call.headers.get("apikey") ?? "";
  return (isServiceKey(own) ? "" : own) || known || "";
}

/** Put an answer in the only form of which a screen shows more than that something failed: a 200 with `error`. */
function sayToScreen(name: FunctionName, answer: Answer): Answer {
  const { status } = answer;
  if (status < 400 && status !== 202) return answer;
  const { error_code: code, status: progress, paused, run_id, run_type } = parseFields(answer.body);
  const told: Fields = { success: false, http_status: status };
  if (status === 202) {
    // The screen would show a 202 as a finished run.
    const error = describeProgress(progress, paused === true);
    Object.assign(told, { error, error_code: "run_accepted", run_id, run_type });
  } else {
    const usual = CODE_OF_STATUS.get(status) ?? "internal_error";
    const known = typeof code === "string" && SENTENCES.has(code) ? code : usual;
    const sentence = SENTENCES.get(known);
    if (name === "stripe-kpis" && NOT_ABOUT_FIGURES.test(known)) told["error"] = NO_FIGURES;
    else told["error"] = name === LAUNCH ? sentence : sentence?.replace(CUE, "");
    told["error_code"] = typeof code === "string" && /^[a-z_]{1,64}$/.test(code) ? code : usual;
  }
  return say(200, told, { ...answer.headers, "x-relay-status": `${status}` });
}

function describeProgress(status: unknown, isPaused: boolean): string {
  if (isPaused) {
    return "Les runs sont en pause ; votre demande est conservée, et son rapport apparaîtra dans la liste à la reprise.";
  }
  switch (status) {
    case "pending":
      return "La demande est enregistrée ; le run se fera en arrière-plan et son rapport apparaîtra dans la liste.";
    case "completed":
    case "failed":
    case "cancelled":
      return "Ce run est déjà terminé ; son résultat se trouve dans la liste.";
    default:
      return "Le run continue en arrière-plan ; son rapport apparaîtra dans la liste.";
  }
}

function refuse(status: number, code: string, headers: Record<string, string> = {}): Answer {
  return say(status, { success: false, error: SENTENCES.get(code), error_code: code }, headers);
}

function say(status: number, fields: Fields, headers: Record<string, string> = {}): Answer {
  // No line of French begins with one of these: the space before them does not break.
  const typeset = (_: string, value: unknown): unknown =>
    typeof value === "string" ? value.replace(/ (?=[:;!?])/g, "\u00a0") : value;
  return { status, body: JSON.stringify(fields, typeset), headers: { "content-type": "application/json", ...headers } };
}

/** The fields of a JSON object; none if it is anything else. */
function parseFields(body: ArrayBuffer | string): Fields {
  try {
    const value = JSON.parse(typeof body === "string" ? body : new TextDecoder().decode(body));
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** Allow the page's origin, among those in ALLOWED_ORIGIN; one by one, as browsers want it. */
function describeOrigins(origin: string | null, isPublic: boolean): Record<string, string> {
  const headers: Record<string, string> = {
    "access-control-allow-headers": ALLOWED_HEADERS,
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-expose-headers": "retry-after, x-request-id, x-relay-status",
  };
  const allowed = (Deno.env.get("ALLOWED_ORIGIN") || "*").split(",").map((one) => one.trim().replace(/\/+$/, ""));
  if (isPublic || allowed.includes("*")) return { ...headers, "access-control-allow-origin": "*" };
  if (origin !== null && allowed.includes(origin)) headers["access-control-allow-origin"] = origin;
  return { ...headers, vary: "Origin" };
}

function pick(headers: Headers, names: string[]): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => names.includes(name)));
}

/** The caller's trace, which the workers and the database continue; none, if it is not one. */
function readTrace(headers: Headers): Record<string, string> {
  const traceparent = headers.get("traceparent");
  return traceparent !== null && TRACEPARENT.test(traceparent) ? { traceparent } : {};
}

function sane(value: string | null): string | null {
  return value !== null && SANE.test(value) ? value : null;
}

function readAddress(name: string): string {
  return (Deno.env.get(name) ?? "").replace(/\/+$/, "");
}

function readMilliseconds(name: string, otherwise: number): number {
  const value = Number.parseInt(Deno.env.get(name) ?? "", 10);
  return value >= 0 ? value : otherwise;
}

function isSwitchedOn(name: string): boolean {
  return !/^(0|false|no|off)$/i.test(Deno.env.get(name) ?? "");
}

/** An error is never logged: its text could name an address, or hold what somebody sent. */
function log(event: string, { name, requestId }: Call): void {
  console.error(JSON.stringify({ event, function: name, request_id: requestId }));
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}
