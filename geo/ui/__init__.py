"""The browser side: pages, the routes behind the map, and all text in Chinese and English."""
