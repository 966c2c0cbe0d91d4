"""The only package that talks to Supabase: PostgREST RPCs, Realtime, and the translation of their errors."""
