"""Who may do what, and whose data they may see: roles, keys, and the scope of every list.

May import vocabulary, clock, errors, core, mongo and models; knows nothing of HTTP.
"""
