"""The REST surface: parse, ask one room, shape the answer (docs/api.md).

May import everything below it; only dft_project/urls.py mounts it.
"""
