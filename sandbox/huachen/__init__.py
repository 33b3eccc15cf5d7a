"""华辰精工 (Huachen Precision): a made-up manufacturer with a shop and a foreign subsidiary, on fourteen systems.

`world` is what truly happened, in one consistent history; `systems` is what each system knows of it, in its own
codes, units and spelling; `answers` is the key, computed from the history and never seen by the platform.
"""
