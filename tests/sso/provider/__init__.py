"""A real OpenID provider for the tests: django-oauth-toolkit as a project of its own, on SQLite.

`python -m tests.sso.provider DIRECTORY PORT` serves what the directory says, and prints its port:
`key.pem` signs, `client.json` names DFT, `people.json` the people, read anew at each sign-in.
"""
