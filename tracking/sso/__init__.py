"""Single sign-on by OpenID Connect: from the provider's word to an account and its roles.

May import vocabulary, errors and models; of HTTP it speaks the provider's side alone, pages are
the admin's. PyJWT, which checks signatures, comes with the extra `sso` and is imported late.
"""
