"""One file, one format that a data set can be written in. See `sightline.data.convert` for who calls them.

    lost(dataset)                 field (`splits`, `groups`, `columns`) -> why the format cannot hold it; {} for none
    check(dataset)                raises DataError for names that the format cannot hold
    write(dataset, samples, out)  writes into the empty folder `out`; returns sentences for the user

What a writer writes, the format of the same kind reads back equal: a contract test holds each of them to it.
"""
