"""华信精密装备 (Huaxin), a made-up manufacturer, and the five systems it keeps its data in."""
