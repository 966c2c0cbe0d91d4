"""The SQL of this project; setup.py makes this folder the package ``workers.schema.sql``, so that a wheel holds it."""
