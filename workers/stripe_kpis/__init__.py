"""The edge function ``stripe-kpis``: the company's earnings for the finance screens, true or not at all."""
