"""EDUs both ways: typing, receipts, presence, messages from device to device, and changes of devices and keys."""
