"""Texts of the seeded events. Each answers one search term: its words all stand in title, description or category."""

from __future__ import annotations

from dataclasses import dataclass

ORGANIZATION = "Serendib Stages"
WEBSITE = "https://serendib-stages.example"


@dataclass(frozen=True, slots=True)
class Venue:
    """A place; coordinates in degrees."""

    name: str
    address: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One event's texts. `category` is a category of the platform; `hour` is the usual local starting hour."""

    term: str
    title: str
    category: str
    venue: str
    hour: int
    description: str


VENUES = {
    "harbour": Venue("Harbour Conference Hall", "4 Chaithya Road, Colombo", 6.9390, 79.8420),
    "park": Venue("Cinnamon Park Bandstand", "88 Independence Avenue, Colombo", 6.9060, 79.8690),
    "lake": Venue("Lakeside Amphitheatre", "21 Sangaraja Mawatha, Kandy", 7.2906, 80.6410),
    "hill": Venue("Tea Masters' Pavilion", "7 Glen Fall Road, Nuwara Eliya", 6.9697, 80.7820),
    "fort": Venue("Old Granary Gallery", "35 Pedlar Lane, Galle", 6.0267, 80.2170),
    "beach": Venue("Bay Sands Arena", "150 Lewis Place, Negombo", 7.2290, 79.8400),
    "north": Venue("Palmyra Open Air Stage", "9 Temple Road, Jaffna", 9.6680, 80.0150),
    "east": Venue("Blue Lagoon Deck", "3 Orr's Hill Road, Trincomalee", 8.5780, 81.2300),
    "ancient": Venue("Stone Garden Court", "60 Abhaya Mawatha, Anuradhapura", 8.3350, 80.4010),
    "south": Venue("Coral Coast Clubhouse", "12 Beach Road, Mirissa", 5.9480, 80.4590),
}

ENTRIES = (
    Entry("tech summit", "Island Tech Summit", "Tech Workshops", "harbour", 9,
          "Two hundred engineers compare notes on payment rails, language models for Sinhala and Tamil, and keeping "
          "servers alive through the monsoon. Talks in the morning, hands-on tables after lunch."),
    Entry("colombo jazz", "Colombo Jazz by the Sea", "Concerts", "park", 19,
          "A seven-piece band trades choruses with a veena player while the sun goes down over the harbour lights."),
    Entry("heritage exhibition", "Rooms of Memory: A Heritage Exhibition", "Art Exhibitions", "fort", 10,
          "Door locks, dowry chests and letters from four centuries, lent by families who still live in the old town."),
    Entry("kandy perahera", "Kandy Perahera Night Balcony", "Festivals & Carnivals", "lake", 18,
          "Reserved balcony seats above the procession route: drummers, whip crackers, fire dancers and the robed "
          "elephants, with a guide who explains the order of the lamps."),
    Entry("digital marketing", "Digital Marketing for Small Shops", "Business Seminars", "harbour", 13,
          "Bring a phone and a product. Leave with a month of posts, a price list people understand and a way to see "
          "which advertisement paid for itself."),
    Entry("beach volleyball", "Negombo Beach Volleyball Open", "Indoor Sports Tournaments", "beach", 8,
          "Thirty-two pairs, two sand courts and a final under floodlights. Spectators sit close enough to be dusted."),
    Entry("food festival", "Coconut & Clay: A Food Festival", "Food Festivals", "park", 11,
          "Forty stalls cook over wood fire: crab from the lagoon, jak curry in clay pots, hoppers by the hundred."),
    Entry("startup weekend", "Startup Weekend South", "Meetups", "fort", 9,
          "Pitch on the first evening, find a team before midnight, and show something that runs by Sunday afternoon."),
    Entry("film festival", "Monsoon Film Festival", "Film Festivals", "harbour", 17,
          "New features and short films from around the Indian Ocean, each followed by a talk with its makers."),
    Entry("wellness retreat", "Slow Mornings Wellness Retreat", "Fitness Bootcamps & Retreats", "south", 6,
          "A day of breathing, herbal steam and long walks, led by a physician of traditional medicine."),
    Entry("photography exhibition", "Light on Water: Photography Exhibition", "Art Exhibitions", "fort", 10,
          "Ninety prints of stilt fishers, ferry crossings and flooded paddy, taken by people who work there."),
    Entry("tea celebration", "First Flush Tea Celebration", "Cooking Classes & Demos", "hill", 10,
          "Taste eleven gardens side by side, roll your own leaf and learn why the same bush differs by altitude."),
    Entry("literary festival", "Ramparts Literary Festival", "Networking & Social Gatherings", "fort", 15,
          "Novelists, translators and a very strict quizmaster share one long table on the ramparts."),
    Entry("fashion week", "Resort Fashion Week Closing Show", "Award Ceremonies", "beach", 19,
          "Twelve designers close the week with batik, recycled sails and beeralu lace on a runway over the water."),
    Entry("edm night", "Lagoon EDM Night", "DJ Nights", "east", 21,
          "Four DJs, one sunrise, and a sound system that was tuned on the sand the day before."),
    Entry("cricket tournament", "Sixes Under Lights: Cricket Tournament", "Cricket Matches", "ancient", 16,
          "Sixteen clubs play six overs a side until one is left. Papare bands are welcome, and expected."),
    Entry("handloom market", "Warp & Weft Handloom Market", "Expos & Trade Shows", "ancient", 9,
          "Weavers from five provinces sell cloth by the metre and show the looms that made it."),
    Entry("temple music", "Temple Music at Dusk", "Traditional Music", "ancient", 18,
          "Drums, conch and flute in the court where they have been played for centuries, listened to in silence."),
    Entry("conservation summit", "Leopard Country Conservation Summit", "Academic Conferences", "hill", 9,
          "Rangers, farmers and biologists agree on corridors, fences and what a lost goat is worth."),
    Entry("dance performance", "Ves and Velvet: A Dance Performance", "Dance & Performance Arts", "lake", 19,
          "Upcountry dancers and a contemporary company answer each other's steps, drum by drum."),
    Entry("buddhist art", "Lines of Compassion: Buddhist Art", "Art Classes", "ancient", 14,
          "Copy a temple mural panel with the pigments its painters used, guided by a restorer."),
    Entry("entrepreneurship masterclass", "Entrepreneurship Masterclass: From Stall to Store", "Business Seminars",
          "harbour", 10,
          "Three founders open their books and go through the month in which each nearly gave up."),
    Entry("poetry slam", "Three Languages Poetry Slam", "Meetups", "north", 18,
          "Sinhala, Tamil and English verses, three minutes each; the audience is the jury."),
    Entry("night market", "Railway Yard Night Market", "Street Food Events", "park", 18,
          "Kottu, pickles, second-hand books and vinyl records between parked carriages until midnight."),
    Entry("jewelry exhibition", "Sapphire Road Jewelry Exhibition", "Expos & Trade Shows", "fort", 10,
          "Cutters and goldsmiths show stones before and after, and let visitors try the wheel."),
    Entry("vesak lantern", "Vesak Lantern Workshop and Walk", "Religious & Spiritual Events", "lake", 16,
          "Fold an eight-sided lantern from bamboo and tissue, then carry it around the lake with everybody else."),
    Entry("eco-tourism", "Rivers and Rice: Eco-Tourism Day", "Tours & Travel Experiences", "south", 7,
          "A guided day by canoe and on foot with the village cooperative that keeps the mangroves."),
    Entry("jaffna cultural", "Jaffna Cultural Evening", "Dance & Performance Arts", "north", 18,
          "Bharatanatyam, street theatre and a feast on palmyra leaves, all within sound of the kovil bell."),
    Entry("yoga day", "Sunrise Yoga Day", "Yoga & Wellness", "beach", 6,
          "Five teachers, five styles, one tide table: an hour each from first light to the heat of noon."),
    Entry("marine conservation", "Reef Keepers: Marine Conservation Forum", "Academic Conferences", "east", 10,
          "Divers and fishermen map the coral that came back, and decide together where no anchor falls."),
)  # fmt: skip

SEARCH_TERMS = tuple(entry.term for entry in ENTRIES)
