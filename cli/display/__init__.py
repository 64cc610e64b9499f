"""How engine events look: a live tree on a terminal, plain lines elsewhere, JSON for programs.

A *display* receives every event of one operation (`Display.receive`) and is closed at its end. Progress goes to
stderr; results (outputs, counts, duration) go to stdout.
"""
