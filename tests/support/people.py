"""People beside the owner."""

import psycopg

from devstack.accounts import hash_password
from devstack.stack import Stack

VIEWER_EMAIL = "viewer@emocare.test"
VIEWER_PASSWORD = "a-viewer-password"


def create_viewer(stack: Stack) -> None:
    """Add a person who may look at nothing of HQ."""
    with psycopg.connect(stack.admin_url) as connection:
        connection.execute(
            "with account as (insert into auth.users (id, email, encrypted_password, email_confirmed_at)"
            " select gen_random_uuid(), %s, %s, now() returning id)"
            " insert into public.user_roles (user_id, role) select id, 'viewer' from account",
            [VIEWER_EMAIL, hash_password(VIEWER_PASSWORD)],
        )
