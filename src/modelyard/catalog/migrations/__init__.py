"""Steps between revisions of the schema, run by alembic.

`python -m modelyard.catalog.migrations TITLE` writes the next one from what changed in `schema`.
"""
