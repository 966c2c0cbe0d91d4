"""Supabase on one machine, without containers: for tests, demonstrations and benchmarks only."""
