import { relay } from "../_shared/relay.ts";

Deno.serve(relay("check-ai-budget"));
