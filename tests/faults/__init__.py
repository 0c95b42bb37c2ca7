"""What may go wrong around a night: kills, full disks, clocks, two at once, cut power."""
