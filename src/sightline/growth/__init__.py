"""How much more pictures would bring: a learning curve, and how it goes on."""
