"""Secrets of every shape that passes through a worker, for tests of what is made of them."""

import string

from hypothesis import strategies as st

WORD = string.ascii_letters + string.digits
words = st.text(WORD, min_size=12, max_size=40)

# One strategy per kind of secret that passes through a worker.
prefixes = st.sampled_from(
    ["sb_secret_", "sb_publishable_", "sk-", "sk_", "ghp_", "github_pat_", "pplx-", "fc-", "rk_"]
)
secrets = st.one_of(
    st.builds("{}{}".format, prefixes, words),
    st.builds("eyJ{}.{}.{}".format, words, words, words),
    st.builds("{}@{}.fr".format, words, words),
)
