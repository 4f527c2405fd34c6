"""How fast a run or an export answers on this machine, beside how right it is. Must not know the terminal."""
