"""The way in for people: passwords, lock-out, second factors, and what a session is worth.

Below the pages of the admin and the API, which both stand behind it. May import vocabulary, clock,
errors, mongo, models and access; its requests are Django's.
"""
