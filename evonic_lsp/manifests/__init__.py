"""``plugin.json`` as a language: checks while it is typed, completion, hover, definitions, quick fixes."""
