"""Other programs' formats in and out: nnU-Net's folders. No other room needs it; it may import all rooms below."""
