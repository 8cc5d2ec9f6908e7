// SPDX-License-Identifier: Apache-2.0
// Words to label patches with: those of the harbour among many that never occur in it.

/// The words of a label vocabulary.
package enum WordList {
  /// Words for what the pictures show.
  package static let world: [String] = {
    let things = Kind.allCases.flatMap { kind in
      kind.plural == kind.word ? [kind.word] : [kind.word, kind.plural]
    }
    let rest = [
      "small", "large", "left", "middle", "right", "top", "bottom", "day", "night", "fog", "sea",
      "sky",
      "shore", "sand", "water", "wave", "harbour", "number", "sail",
    ]
    return things + Hue.allCases.map(\.word) + rest + Array(TextMaker.numbers[0...9])
      + (0...9).map(String.init)
  }()

  /// All words in alphabetical order, one each.
  package static let all: [String] = Array(Set(world + distractors)).sorted()

  /// Ordinary words that no picture shows.
  package static let distractors: [String] = text.split(separator: " ").map(String.init)

  private static let text = """
    able about accident acorn acrobat actor address adult adventure aeroplane afternoon age air \
    airport alarm album alley almond alphabet ambulance angel animal ankle ant antelope apartment \
    ape apple apricot apron aquarium arch arm armchair army arrow art artist ash attic audience \
    aunt autumn avenue avocado axe baby back backpack bacon bad badge badger bag baker bakery \
    baking bald ball ballet bamboo banana band bandage bank barber bark barn barrel baseball \
    basement basin basket basketball bat bath bathroom battery beach bead beak bean bear beard \
    beast beaver bed bedroom bee beef beehive beetle beetroot bell belly belt bench berry bicycle \
    big bike bin bird birthday biscuit bison biting bitter blackboard blanket blender blossom \
    blouse board bobcat body boiling bolt bone bonnet book bookcase boot bottle bowl box boy \
    bracelet brain branch brass bread breakfast brick bride bridge briefcase bright broccoli \
    broken broom brother brush bubble bucket buckle bud buffalo bug building bulb bull bumpy bun \
    bunny bus bush butcher butter butterfly button buying cabbage cabin cabinet cable cactus cafe \
    cage cake calculator calendar calf calm camel camera camp can canal candle candy cane cannon \
    canoe canvas cap cape car caravan card carnival carpenter carpet carriage carrot carrying \
    cart cartoon castle cat catching caterpillar cattle cauliflower cave ceiling celery cello \
    cereal chain chair chalk chameleon chasing cheap cheek cheese cheetah chef cherry chess chest \
    chestnut chicken child chimney chimpanzee chin chocolate church cinema circle circus city \
    clarinet clay clean cleaning clever cliff climbing clock closing cloth clothes cloudy clover \
    clown club coach coal coast coat cobra cobweb coconut cocoon coffee coin cold collar comb \
    comet compass computer cone cook cookie cooking cool coral corn corner cottage cotton couch \
    cougar country court cousin cow cowboy coyote cradle crane crate crawling crayon cream \
    cricket crocodile crooked crow crowd crown crumb crying crystal cub cube cucumber cup \
    cupboard curb curly curtain cushion cutting cyclist daffodil dagger daisy dam dancer dancing \
    dandelion dark dart date daughter deck deep deer dentist desert desk dessert diamond dice \
    digging dinner dinosaur dirty dish dive diving doctor dog doll dolphin dome donkey donut door \
    doorbell dough dove dragon dragonfly drawer drawing dreaming dress drill drinking driver \
    driving drum dry duck dust dusty eagle ear early earth easel easy eating egg eggplant elbow \
    elephant elevator elf elk ember emerald empty engine envelope eraser eye eyebrow face factory \
    faint fairy falcon falling family fan farm farmer fast fat fawn feather feeding fence fern \
    ferret ferry festival field fierce fig fighting filling film finger fire fireman fireplace \
    fishing fixing flag flame flamingo flask flat flea floating floor flour flower fluffy flute \
    fly flying foam foil folding food foot football forest fork fort fountain fox frame freckle \
    freezer fresh fridge friend frog fruit fur furnace furry galaxy garage garden garlic gate \
    gazelle gem gentle ghost giant ginger giraffe girl glacier glass globe glossy glove glue goal \
    goat gold goldfish golf goose gorilla grandfather grandmother grape grass grasshopper gravel \
    gravy gray greasy grill ground grove growing guest guitar gun gym hail hair hairy hall ham \
    hammer hammock hamster hand handbag handkerchief handle happy hard harp hat hawk hay hazelnut \
    head heart heavy hedge hedgehog heel helicopter helmet hen herb heron hiding high hill hippo \
    hitting hive hockey holding hole hollow honey hood hoof hook hopping horn horse hose hospital \
    hot hotel house huge hummingbird hunter hunting hut hyena ice iceberg icicle icy ink insect \
    iron ivy jacket jaguar jail jam jar jeans jeep jelly jewel jigsaw jockey joker journal judge \
    jug juggler juice juicy jumping jungle kangaroo kettle key keyboard kicking kind king kingdom \
    kissing kitchen kite kitten kiwi knee kneeling knife knight knitting knot koala label \
    laboratory lace ladder lady ladybird lake lamb lamp lantern laptop late laughing laundry lava \
    lawn lazy leaf leaning leather leek leg lemon lemonade lentil leopard letter lettuce library \
    lifting light lightning lily lime lion lip listening lizard llama lobster lock locket locust \
    log lollipop long looking loose loud low lucky lunch lung lynx machine magazine magic \
    magician magnet magpie mailbox mammoth man mandarin mango mansion map maple marble marching \
    market marmalade mask mat match meadow meal meat medal melon melting mermaid metal meteor \
    microphone microscope milk mill mint mirror mitten mixing moat modern mole monk monkey moon \
    moose mop mosaic mosquito moss moth mother motor motorcycle mountain mouse moustache mouth \
    moving mud muddy muffin mug mule muscle museum mushroom music mustard nail napkin narrow neat \
    neck necklace needle neighbour nest net new newspaper newt noisy noodle nose notebook nun \
    nurse nut nutmeg oak oasis oatmeal oboe ocean octopus office oil old olive onion open opening \
    opera orchard orchid orderly organ ostrich otter oval oven owl ox oyster package packing \
    paddle page paint painter painting pajamas palace pale pan pancake panda pansy panther paper \
    parachute parade parcel park parking parrot parsley party passport pasta path paw pea peach \
    peacock peanut pear pearl pebble peeling pelican pen pencil penguin people pepper perfume \
    petal phone photograph piano picking pickle picnic pie pig pigeon pill pillow pilot pine \
    pineapple pipe pirate pizza plain plane planet plant planting plastic plate playground \
    playing plum plumber pocket pointed pointing polite pond pony poodle pool poor popcorn poppy \
    porch porcupine portrait postcard poster pot potato pottery pouring powder present pretty \
    prince princess prison proud pudding puddle puffin pulling pump pumpkin puppet puppy purse \
    pushing puzzle pyramid quail quarry queen quick quiet quilt rabbit raccoon race racing radar \
    radio radish raft rag railway rain rainbow raincoat rainy raisin rake ram ranch rare \
    raspberry rat raven raw razor reading reed reindeer restaurant resting rhino rhubarb ribbon \
    rice rich riding ring ringing ripe river road robin robot rocket rod rolling roof room \
    rooster root rope rose rough round rowing rug ruler running rusty sack sad saddle sailing \
    sailor salad salmon salt salty sandal sandwich satellite sauce saucepan sausage saw saxophone \
    scale scarecrow scarf school scientist scissors scooter scorpion screen screw sculpture seal \
    seat seed selling sewing shaking shallow shampoo shark sharp shaving shed sheep shelf \
    shepherd shield shiny ship shirt shoe shop shopping short shorts shoulder shouting shovel \
    shower shrimp shy sick silent silk silver simple singer singing sink sister sitting skate \
    skateboard skating skeleton sketch ski skiing skirt skull skunk sleeping sliding slim slipper \
    slippery sloth slow slug smiling smoke smooth snail snake sneaker sneezing snow snowflake \
    snowman snowy soap soccer sock sofa soft soil soldier son soup sour spade spaghetti sparrow \
    spatula speaking spear spicy spider spinach spinning splashing sponge spoon spotted square \
    squash squid squirrel stable stadium stage stair stamp standing station statue steak steam \
    steel steep stem stick sticky stiff stirring stocking stomach stone stool stork storm stormy \
    stove straight strange strap straw strawberry stream street stretching string striped strong \
    student submarine subway sugar suit suitcase sunflower sunny supermarket swallow swamp swan \
    sweater sweeping sweet swimming swing swinging sword syrup table tablet tail tailor talking \
    tall tambourine tame tank tap tape tasty taxi tea teacher team teapot telephone telescope \
    television tennis tent theatre thermometer thick thief thigh thin throat throne throwing \
    thumb thunder ticket tidy tie tiger tight tile tin tiny tire tired toad toast toaster toe \
    toilet tomato tongue tool tooth toothbrush torch tornado tortoise tough towel tower town toy \
    tractor traffic trail train trampoline trap tray treasure tree triangle tricycle trombone \
    trophy trousers truck trumpet trunk tub tube tulip tunnel turkey turnip turtle tutu tying \
    typewriter typing ugly umbrella uncle unicorn uniform valley van vase vegetable vest village \
    vine vinegar violet violin volcano volleyball vulture wagon waist waiter waiting walking wall \
    wallet walnut walrus wardrobe warm washer washing wasp watch watching waterfall watering \
    watermelon waving weak weasel weaving web wedding weed wet wheat wheel wheelbarrow whip \
    whisker whispering whistle wide wig wild willow wind windmill window windy wine wing winning \
    winter wiping wire wise witch wizard wolf woman wombat wood wooden woodpecker wool woolly \
    working worm wrapping wreath wrench wrist writing yacht yard yarn yawning yogurt yolk young \
    zebra zipper zoo
    """
}
