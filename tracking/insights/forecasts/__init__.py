"""The load to come: by the hour and by the day, with intervals and a track record.

`grains`, `series`, `store`, `needs` and `reading` are for everybody; the rest computes with
statsmodels and is imported by the command `forecast` and the benchmark alone
(tests/rules/test_forecasting.py), because it takes seconds and memory to load.
"""
