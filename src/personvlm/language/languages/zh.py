"""The words of Chinese; how they are written down stands in ``east_asian.py``."""

from __future__ import annotations

from personvlm.language.languages.base import Table

_COLORS = {
    "black": "黑色", "white": "白色", "gray": "灰色", "blue": "蓝色", "red": "红色", "green": "绿色", "brown": "棕色",
    "yellow": "黄色", "orange": "橙色", "purple": "紫色", "pink": "粉色", "beige": "米色", "dark blue": "深蓝色",
    "light blue": "浅蓝色", "dark": "深色", "light": "浅色", "multicolored": "彩色",
}  # fmt: skip
_STYLES = {"casual": "休闲", "formal": "正式的"}

TABLE = Table(
    words={
        "body": {"thin": "体型偏瘦", "normal": "体型中等", "fat": "体型偏胖"},
        "hair.length": {"bald": "光头", "short": "短发", "long": "长发"},
        "hair.color": {"black": "黑色", "brown": "棕色", "blond": "金色", "gray": "灰色", "white": "白色",
                       "red": "红色"},
        "headwear": {"none": "帽子", "hat": "戴着 帽子", "cap": "戴着 鸭舌帽", "helmet": "戴着 头盔",
                     "hood": "戴着 兜帽",
                     "headband": "戴着 发带", "headscarf": "戴着 头巾"},
        "eyewear": {"none": "眼镜", "glasses": "戴着 眼镜", "sunglasses": "戴着 墨镜"},
        "face": {"none": "口罩", "mask": "戴着 口罩"},
        "neckwear": {"none": "围巾", "scarf": "围着 围巾", "shawl": "披着 披肩", "tie": "系着 领带"},
        "gloves": {"none": "手套", "gloves": "戴着 手套"},
        "headphones": {"none": "耳机", "headphones": "戴着 耳机"},
        "wrist": {"none": "手表", "watch": "戴着 手表"},
        "upper.garment": {
            "t-shirt": "件 T恤", "shirt": "件 衬衫", "blouse": "件 罩衫", "sweater": "件 毛衣",
            "hoodie": "件 连帽卫衣",
            "jacket": "件 夹克", "suit": "套 西装", "coat": "件 大衣", "padded coat": "件 棉衣", "vest": "件 马甲",
            "dress": "条 连衣裙", "graduation gown": "件 学位服", "chef uniform": "套 厨师服",
        },
        "upper.sleeve": {"sleeveless": "无袖", "short": "短袖", "long": "长袖"},
        "upper.pattern": {
            "plain": "纯色", "plaid": "格纹", "thin stripes": "细条纹", "thick stripes": "粗条纹", "logo": "带标志的",
            "floral": "碎花", "spotted": "波点", "striped": "条纹",
        },
        "upper.neckline": {"v-neck": "V领", "round": "圆领", "collar": "翻领"},
        "upper.style": _STYLES,
        "upper.color": _COLORS,
        "lower.garment": {
            "trousers": "条 长裤", "jeans": "条 牛仔裤", "suit trousers": "条 西裤", "leggings": "条 打底裤",
            "sweatpants": "条 运动裤", "shorts": "条 短裤", "hot pants": "条 热裤", "capri pants": "条 七分裤",
            "short skirt": "条 短裙", "long skirt": "条 长裙", "skirt": "条 半身裙",
        },
        "lower.style": _STYLES,
        "lower.color": _COLORS,
        "footwear.type": {
            "shoes": "双 鞋子", "leather shoes": "双 皮鞋", "casual shoes": "双 休闲鞋", "sneakers": "双 运动鞋",
            "boots": "双 靴子", "sandals": "双 凉鞋", "slippers": "双 拖鞋", "heels": "双 高跟鞋",
            "stockings": "双 长筒袜",
        },
        "footwear.color": _COLORS,
        "carrying": {
            "none": "没有携带物品", "backpack": "背着 一个双肩包", "messenger bag": "挎着 一个邮差包",
            "shoulder bag": "挎着 一个单肩包", "handbag": "拎着 一个手提包", "plastic bag": "拎着 一个塑料袋",
            "paper bag": "拎着 一个纸袋", "suitcase": "拉着 一个行李箱", "luggage": "带着 行李",
            "briefcase": "提着 一个公文包", "bag": "带着 一个包", "folder": "拿着 一个文件夹",
            "laptop": "拿着 一台笔记本电脑", "phone": "拿着 一部手机", "bottle": "拿着 一个瓶子",
            "umbrella": "拿着 一把雨伞", "box": "抱着 一个箱子", "stroller": "推着 一辆婴儿车",
            "shopping trolley": "推着 一辆购物车",
        },
        "posture": {
            "standing": "站着", "walking": "正在行走", "running": "正在奔跑", "sitting": "坐着", "squatting": "蹲着",
            "lying": "躺着", "riding a bicycle": "骑着自行车", "riding a scooter": "骑着踏板车",
            "riding a skateboard": "踩着滑板",
        },
        "activity": {
            "making a phone call": "正在打电话", "smoking": "正在吸烟", "hands behind back": "|双手背在身后",
            "arms crossed": "|双臂交叉在胸前", "waiting": "正在等候", "talking": "正在交谈",
            "looking": "正在四处张望",
        },
        "view": {"front": "正面朝向镜头", "back": "背对镜头", "side": "侧对镜头"},
        "visibility": {"full": "全身可见", "partial": "身体仅部分可见"},
    },
    persons={
        (None, None): "一个人", (None, "male"): "一名男子", (None, "female"): "一名女子",
        ("child", None): "一名儿童", ("child", "male"): "一名男孩", ("child", "female"): "一名女孩",
        ("young adult", None): "一名青年", ("young adult", "male"): "一名青年男子",
        ("young adult", "female"): "一名青年女子",
        ("adult", None): "一名成年人", ("adult", "male"): "一名成年男子", ("adult", "female"): "一名成年女子",
        ("thirties", None): "一个三十多岁的人", ("thirties", "male"): "一名三十多岁的男子",
        ("thirties", "female"): "一名三十多岁的女子",
        ("middle-aged", None): "一名中年人", ("middle-aged", "male"): "一名中年男子",
        ("middle-aged", "female"): "一名中年女子",
        ("elderly", None): "一名老年人", ("elderly", "male"): "一名老年男子", ("elderly", "female"): "一名老年女子",
    },
    generic={"upper": "件 上衣", "lower": "件 下装", "footwear": "双 鞋子"},
)  # fmt: skip
