import { relay } from "../_shared/relay.ts";

Deno.serve(relay("send-push-notification"));
