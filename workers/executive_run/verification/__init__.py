"""Holds a report against the data that it was written from. Pure: the same text and data give the same result.

``verify`` repairs what is only typography, finds every fault, and says which of them are worth asking the model again;
``mark`` writes into the text what could not be verified. Nothing here knows who asks the model, or how often.
"""
