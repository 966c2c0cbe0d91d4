"""What a worker must be given to read every source from its stand-in."""

from support.hq import Hq


def keys(hq: Hq) -> dict[str, object]:
    """Name the variables with which a worker reads every source."""
    return {
        "PERPLEXITY_API_URL": f"{hq.vendors.base_url}/perplexity",
        "PERPLEXITY_API_KEY": "a-key",
        "FIRECRAWL_API_URL": f"{hq.vendors.base_url}/firecrawl/v2",
        "FIRECRAWL_API_KEY": "a-key",
        "COMPETITOR_PAGES": "https://concurrent.example/tarifs",
        "TECH_WATCH_PAGES": "https://veille-technique.example",
        "STRIPE_SECRET_KEY": "rk_test_a-key",
        "WORKER_CONCURRENCY": 4,
        # A machine that is busy with other tests is slow, and not down.
        "SOURCE_TIMEOUT_SECONDS": 50,
        "STRIPE_TIMEOUT_SECONDS": 45,
    }
