"""Running DFT on one machine: first start, and the supervisor of its processes.

Level 5, beside the other surfaces. The supervisor never opens a database connection itself:
where MongoDB is becomes known only once it runs, and Django reads its settings once.
"""
