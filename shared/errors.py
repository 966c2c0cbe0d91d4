"""Every way our own code can fail, as one tree.

    WorkersError                 code · retryable · French sentence for the reader of the run
    ├─ ConfigurationError          the process cannot start: exit 78, never retried
    ├─ CallerError                 the request is at fault
    │  ├─ Unauthenticated 401 · Forbidden 403 · InvalidRequest 400 · UnknownRunType 400
    │  ├─ UnknownPlatform 400 · UnknownRun 404 · RateLimited 429 · ContextTooLarge 413 · KeyReused 409
    │  ├─ UnknownJob 404 · UnknownRoute 404 · WrongMethod 405 · BodyTooLarge 413 · PushNotConfigured 503
    │  └─ CronNotConfigured 503
    ├─ UpstreamError               somebody else is at fault
    │  ├─ SourceError                becomes a Gap, the run goes on
    │  │    SourceNotConfigured · SourceUnavailable* · SourceRejected
    │  ├─ GatewayError               the model
    │  │    GatewayUnavailable* · GatewayRateLimited* · GatewayOutOfCredit · GatewayRejected (NoModelLeft)
    │  │    GatewayAnswerUnusable* · CircuitOpen*
    │  └─ BackendError               Supabase
    │       BackendUnavailable* (RequestTooLarge* · QueueHeld*) · BackendRejected (KeyRefused · FunctionMissing)
    └─ RunError
         LeaseLost (another worker owns the run: stop, write nothing) · RunTimedOut* · RunCrashed* · ReportUnusable

An asterisk marks what is worth another attempt. ``str(error)`` is for developers, in English;
``error.sentence`` is what the president reads, in French: what happened and what to do, never a secret.
"""

from datetime import timedelta
from typing import ClassVar


class WorkersError(Exception):
    """Something of ours went wrong."""

    code: ClassVar[str] = "workers_error"
    retryable: ClassVar[bool] = False
    http_status: ClassVar[int] = 500
    sentence: str = "Une erreur interne est survenue. L'équipe technique la trouvera dans les journaux."

    def __init__(self, message: str | None = None, *, sentence: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])
        if sentence is not None:
            self.sentence = sentence

    @property
    def what_happened(self) -> str:
        """Return the sentence without the advice that follows it, for where we act upon it ourselves."""
        return f"{self.sentence.split('. ')[0].removesuffix('.')}."


class ConfigurationError(WorkersError):
    """A setting is missing or wrong; the process must not start."""

    code = "configuration"


# ── The request is at fault ──────────────────────────────────────────────────────────────────


class CallerError(WorkersError):
    """The request cannot be accepted as it is."""

    code = "invalid_request"
    http_status = 400


class Unauthenticated(CallerError):
    """No valid token came with the request."""

    code = "unauthenticated"
    http_status = 401
    sentence = "Votre session a expiré. Reconnectez-vous puis relancez."


class Forbidden(CallerError):
    """The caller is known but not allowed to do this."""

    code = "forbidden"
    http_status = 403
    sentence = "Permissions insuffisantes : cette action est réservée à la présidence."


class InvalidRequest(CallerError):
    """A field of the request is missing or malformed."""

    sentence = "La demande est incomplète ou mal formée. Vérifiez les champs puis relancez."


class UnknownRunType(CallerError):
    """The registry does not know this run type."""

    code = "unknown_run_type"

    @classmethod
    def named(cls, key: str) -> "UnknownRunType":
        """Make the error for a key; the key is the caller's text, so it is bounded."""
        shown = key[:80]
        return cls(
            f"Unknown run type {shown!r}: `emocare registry list` names the known ones.",
            sentence=f"Le type d'exécution « {shown} » n'existe pas. Choisissez-en un dans la liste.",
        )


class UnknownPlatform(CallerError):
    """No platform has this key."""

    code = "unknown_platform"
    sentence = "Cette plateforme n'est pas connue du QG. Choisissez-en une dans la liste."


class UnknownRun(CallerError):
    """No run has this id."""

    code = "unknown_run"
    http_status = 404
    sentence = "Cette exécution est introuvable."


class RateLimited(CallerError):
    """The caller asks too often."""

    code = "rate_limited"
    http_status = 429
    retry_after: ClassVar[timedelta] = timedelta(minutes=1)
    sentence = "Limite de demandes atteinte. Patientez quelques minutes puis relancez."


class ContextTooLarge(CallerError):
    """The context is over its size limit."""

    code = "context_too_large"
    http_status = 413
    sentence = "Le contexte fourni est trop volumineux (32 Kio au plus). Raccourcissez-le puis relancez."


class KeyReused(CallerError):
    """The idempotency key was used for another request."""

    code = "idempotency_key_reused"
    http_status = 409
    sentence = "Cette clé d'idempotence a déjà servi à une autre demande. Relancez avec une nouvelle clé."


class UnknownJob(CallerError):
    """No scheduled job has this key."""

    code = "unknown_job"
    http_status = 404
    sentence = "Cette tâche planifiée est introuvable."


class UnknownRoute(CallerError):
    """Nothing answers at this address."""

    code = "unknown_route"
    http_status = 404
    sentence = "Cette adresse ne correspond à aucun service du QG."


class WrongMethod(CallerError):
    """The address is right, the HTTP method is not."""

    code = "wrong_method"
    http_status = 405
    sentence = "Cette méthode HTTP n'est pas acceptée à cette adresse."


class BodyTooLarge(CallerError):
    """The body of the request is over its size limit."""

    code = "body_too_large"
    http_status = 413
    sentence = "La demande est trop volumineuse (256 Kio au plus). Raccourcissez-la puis relancez."


class PushNotConfigured(CallerError):
    """Devices cannot be reached: there are no VAPID keys."""

    code = "push_not_configured"
    http_status = 503
    sentence = (
        "Les notifications sur appareil ne sont pas configurées. L'équipe technique doit définir les clés VAPID, "
        "que la commande emocare vapid prépare."
    )


class CronNotConfigured(CallerError):
    """A secret of cron came with the request, and none is configured."""

    code = "cron_not_configured"
    http_status = 503
    sentence = "Le déclenchement par cron n'est pas configuré."


# ── Somebody else is at fault ────────────────────────────────────────────────────────────────


class UpstreamError(WorkersError):
    """A service that we depend on did not do its part."""

    code = "upstream"
    http_status = 502


class SourceError(UpstreamError):
    """A source of data returned nothing; the run goes on without it."""

    code = "source"


class SourceNotConfigured(SourceError):
    """The source has no key or address."""

    code = "source_not_configured"


class SourceUnavailable(SourceError):
    """The source did not answer, or said to come back later."""

    code = "source_unavailable"
    retryable = True


class SourceRejected(SourceError):
    """The source understood the request and refused it."""

    code = "source_rejected"


class GatewayError(UpstreamError):
    """The model gave no usable answer."""

    code = "gateway"
    http_status = 503

    def __init__(
        self,
        message: str | None = None,
        *,
        sentence: str | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message, sentence=sentence)
        self.retry_after = retry_after


class GatewayUnavailable(GatewayError):
    """The model's service could not be reached, timed out, or answered 5xx."""

    code = "gateway_unavailable"
    retryable = True
    sentence = "Le service d'IA ne répond pas pour le moment. Relancez dans quelques minutes."


class GatewayRateLimited(GatewayError):
    """The model's service answered 429."""

    code = "gateway_rate_limited"
    http_status = 429
    retryable = True
    sentence = "Limite de requêtes du service d'IA atteinte. Relancez dans quelques minutes."


class GatewayOutOfCredit(GatewayError):
    """The model's service answered 402: no credit is left."""

    code = "gateway_out_of_credit"
    http_status = 402
    sentence = "Crédits IA insuffisants. Rechargez le compte du service d'IA puis relancez."


class GatewayRejected(GatewayError):
    """The model's service refused the request itself (400, 401, 403, 404, 422)."""

    code = "gateway_rejected"
    sentence = (
        "Le service d'IA a refusé la demande (clé, modèle ou format). "
        "L'équipe technique doit vérifier la configuration."
    )


class NoModelLeft(GatewayRejected):
    """Every model that is configured for the tier was asked already."""


class GatewayAnswerUnusable(GatewayError):
    """The model's answer is empty, cut, or not in the expected format."""

    code = "gateway_answer_unusable"
    retryable = True
    sentence = "Le service d'IA a rendu une réponse vide ou tronquée. Relancez l'exécution."


class CircuitOpen(GatewayError):
    """The model failed too often lately; calls are held back for a while."""

    code = "breaker_open"
    retryable = True
    sentence = "Le service d'IA est momentanément indisponible. Relancez dans une minute."


class BackendError(UpstreamError):
    """Supabase did not do its part."""

    code = "backend"
    http_status = 503


class BackendUnavailable(BackendError):
    """Supabase could not be reached, or what answered was not PostgREST."""

    code = "backend_unavailable"
    retryable = True
    sentence = "La base de données ne répond pas pour le moment. Rien n'est perdu ; réessayez bientôt."


class RequestTooLarge(BackendUnavailable):
    """What stands before PostgREST did not let so much pass at once."""


class QueueHeld(BackendUnavailable):
    """Somebody's open transaction holds what the call needs."""

    code = "queue_held"
    retry_after: ClassVar[timedelta] = timedelta(seconds=5)
    sentence = (
        "Une autre session tient cette file, le plus souvent une transaction restée ouverte dans un éditeur SQL. "
        "Rien n'a été fait : réessayez dans quelques secondes."
    )


class BackendRejected(BackendError):
    """Supabase understood the request and refused it."""

    code = "backend_rejected"


class KeyRefused(BackendRejected):
    """Supabase refused the key itself, whatever the request."""


class FunctionMissing(BackendRejected):
    """PostgREST knows no such function: the database lacks it, or PostgREST has not read the schema again yet."""


# ── The run itself ───────────────────────────────────────────────────────────────────────────


class RunError(WorkersError):
    """The execution of a run went wrong."""

    code = "run"


class LeaseLost(RunError):
    """Another worker owns the run now, or somebody ended it: stop, write nothing."""

    code = "lease_lost"


class RunTimedOut(RunError):
    """The run took longer than it may."""

    code = "run_timed_out"
    retryable = True
    sentence = "L'exécution a dépassé le temps autorisé. Relancez-la ; si cela persiste, prévenez l'équipe technique."


class RunCrashed(RunError):
    """An error nobody foresaw ended the attempt."""

    code = "internal_error"
    retryable = True


class ReportUnusable(RunError):
    """No model wrote a report that may be stored: what is wrong is more than a figure to be marked."""

    code = "report_unusable"
    sentence = (
        "Le rapport rendu par l'IA n'était pas acceptable, même corrigé (forme, langue ou affirmations fausses) : "
        "il n'a pas été enregistré et rien n'a été remplacé. Relancez l'exécution ; si cela se répète, l'équipe "
        "technique doit choisir un autre modèle."
    )
