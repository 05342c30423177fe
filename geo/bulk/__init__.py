"""Registers of a province: a table of any length is read, located and kept in partitions, on any number of workers.

The door is `run_bulk`. Every partition goes through the same functions as a file that is dropped on the page
(`geo.read.table`, `geo.locate.locate_sites` with the installation's locators), so the table is the same whatever the
number of workers, of rows in a partition, or of times the run was killed and begun again.

What one partition cannot know alone is which of its `site_id`s stand further up in another one. So there are two
rounds: the first lists the ids of all partitions, and where some meet, the rows in question are given to the second
round beside the partition's own. The reader then applies its own rule (the first counts; a further piece of a road
is joined; anything else is a problem) as if it had read the whole table.
"""

from geo.bulk.run import BulkReport, run_bulk

__all__ = ["BulkReport", "run_bulk"]
