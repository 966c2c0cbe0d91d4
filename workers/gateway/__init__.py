"""The model: any OpenAI-compatible endpoint, asked within a budget and spared while it is out of order."""
