"""The only package that speaks Supabase: PostgREST RPCs, Realtime, and the translation of their errors."""
