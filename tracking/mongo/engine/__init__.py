"""The Django database engine: django_mongodb_backend with indexes, order, transactions put right.

`ENGINE = "tracking.mongo.engine"`. Each module overrides as little as it can and says why.
"""
