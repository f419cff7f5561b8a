"""Load on servers whose workers are recycled, with a Collector that comes and goes: is every event told once?"""
