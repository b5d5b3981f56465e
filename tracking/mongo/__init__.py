"""Everything that knows it talks to MongoDB: the Django engine, index kinds, connections, mongod.

Level 2: may import `vocabulary`, `clock` and `errors`, nothing above.
"""
